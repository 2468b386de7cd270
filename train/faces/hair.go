// SPDX-License-Identifier: MIT

package faces

// Hair is drawn in two layers: what hangs behind the head and shoulders, and
// what lies on the head.

// crown is the hair on top: it stands off units above the skull and ends at
// the sideburns (burn), with a hairline at the height line on the axis.
func (f *portrait) crown(off, side, burn, line float64) path {
	w := f.w + side
	return start(0, -30-off).
		cube(w*0.62, -30-off, w, -23-off*0.4, w, -4).
		cube(w, burn+2, f.w-2.5, burn+2, f.w-3.5, burn).
		cube(f.w-3, -5, f.w-5, -12, f.w-9, -15).
		cube(f.w-15, line+1.5, 8, line, 0, line).
		symmetric()
}

// blobs is a scalloped mass: circles of radius r round an arc of radii rx, ry
// about (0, y), over the top. They begin skip steps of 15 degrees above the
// right and end as far above the left.
func blobs(y, rx, ry, r float64, skip int) path {
	var s path
	for _, u := range unit[skip : len(unit)-skip] {
		s = append(s, ellipse(rx*u[0], y-ry*u[1], r, r)...)
	}
	return s
}

// unit holds the half circle in steps of 15 degrees.
var unit = [13][2]float64{
	{1, 0}, {0.966, 0.259}, {0.866, 0.5}, {0.707, 0.707}, {0.5, 0.866}, {0.259, 0.966}, {0, 1},
	{-0.259, 0.966}, {-0.5, 0.866}, {-0.707, 0.707}, {-0.866, 0.5}, {-0.966, 0.259}, {-1, 0},
}

func (f *portrait) hairBack(p *painter) {
	c := solid(f.hair.darker(40))
	w := f.w
	switch f.Hair {
	case HairCurly:
		h := 36.0
		if f.Hat != HatNone {
			h = 22
		}
		c = solid(f.hair)
		p.fill(ellipse(0, -4, w+6, h-2), c)
		p.fill(blobs(-2, w+5, h-4, 8.5, 0), c)
		p.fill(ellipse(-w-2, 8, 8, 8), c)
		p.fill(ellipse(w+2, 8, 8, 8), c)
	case HairFringe:
		p.fill(start(0, -38).cube(w+2, -38, w+8, -24, w+8, 0).cube(w+8, 14, w+8, 22, w+5, 28).
			cube(w-4, 31, 12, 30, 0, 30).symmetric(), c)
	case HairLong:
		p.fill(start(0, -37).cube(w, -37, w+6, -24, w+6, -2).cube(w+6, 20, w+12, 36, w+9, 60).line(0, 60).symmetric(), c)
	case HairBun:
		p.fill(ellipse(0, -37, 12, 10), solid(f.hair))
		p.fill(ellipse(0, -38.5, 6, 4.5), solid(f.hair.lighter(28)))
	case HairPonytail:
		s := f.side
		p.fill(start(s*(w-8), -26).cube(s*(w+14), -34, s*(w+22), -8, s*(w+14), 30).
			cube(s*(w+6), 30, s*(w+2), 12, s*(w-4), -4), c)
		p.fill(ellipse(s*(w-1), -22, 4.5, 4.5), solid(f.cloth1))
	case HairPigtails:
		for _, s := range []float64{-1, 1} {
			p.fill(start(s*(w-4), -6).cube(s*(w+12), -14, s*(w+22), 10, s*(w+9), 32).
				cube(s*(w+2), 26, s*(w+4), 8, s*(w-4), -2), solid(f.hair))
			p.fill(ellipse(s*(w+3), -5, 4.2, 4.2), solid(f.cloth1))
		}
	}
}

func (f *portrait) hairFront(p *painter) {
	c, light := solid(f.hair), solid(f.hair.lighter(40))
	w := f.w
	shine := func() {
		p.stroke(start(-w*0.55, -27).cube(-w*0.35, -32, w*0.35, -32, w*0.55, -27), 3, light)
	}
	switch f.Hair {
	case HairBuzz:
		p.fill(f.crown(2.5, 0.6, -1, -20), solid(f.hair.mix(f.skin, 70)))
	case HairShort:
		burn := 5.0
		if f.Hat != HatNone {
			burn = 0
		}
		p.fill(f.crown(8, 2.5, burn, -17), c)
		shine()
	case HairSidePart:
		s := f.side
		p.fill(f.crown(7, 2.5, 5, -22), c)
		p.fill(start(-s*13, -38).cube(-s*2, -46, s*(w+2), -42, s*(w+3), -14).
			cube(s*(w-4), -16, s*(w-10), -16, s*6, -14).cube(-s*2, -14, -s*10, -19, -s*15, -28), c)
		p.stroke(start(-s*10, -30).cube(s*2, -34, s*14, -32, s*19, -24), 3, light)
	case HairSpiky:
		p.fill(f.crown(4, 2, 4, -18), c)
		p.fill(polygon(-w-2, -8, -w-7, -25, -w+4, -25, -w+1, -41, -10, -33, -7, -48, 2, -36, 12, -48, 13, -34,
			w-1, -41, w-4, -26, w+7, -25, w+2, -8, w-7, -15, 12, -12, 6, -19, 0, -12, -6, -19, -12, -12, -w+7, -15), c)
	case HairMohawk:
		p.fill(f.crown(1.5, 0.3, -3, -22), solid(f.skin.mix(f.hair, 70)))
		p.fill(start(0, -50).cube(8, -50, 12, -42, 11, -30).cube(10, -22, 6, -16, 0, -15).symmetric(), c)
		p.stroke(start(0, -42).line(0, -26), 4, light)
	case HairCurly:
		if f.Hat == HatNone {
			p.fill(blobs(-4, w-4, 23, 7.5, 2), c)
			p.fill(ellipse(0, -27, 18, 9), c)
			for _, x := range []float64{-14, 0, 14} {
				p.fill(ellipse(x, -30+x*x*0.03, 3.4, 3), light)
			}
		} else {
			p.fill(f.crown(4, 2, 6, -17), c)
		}
	case HairFringe:
		p.fill(start(0, -39).cube(w*0.7, -39, w+4, -28, w+5, -4).line(w+5, 18).line(w-3.5, 18).
			cube(w-3, 4, w-3.5, -6, w-4, -9.5).cube(12, -11.5, 6, -11.5, 0, -11.5).symmetric(), c)
		shine()
	case HairLong:
		p.fill(start(0, -38).cube(w*0.7, -38, w+4, -28, w+5, -4).cube(w+6, 20, w+10, 30, w+9, 52).
			cube(w+1, 50, w-1, 40, w-2, 22).cube(w-1, 0, w-3, -15, 0, -27).symmetric(), c)
		p.stroke(start(-w*0.7, -20).cube(-w*0.5, -29, -10, -32, -5, -33), 3, light)
		p.stroke(start(w*0.7, -20).cube(w*0.5, -29, 10, -32, 5, -33), 3, light)
	case HairBun:
		p.fill(f.crown(6, 2, 0, -19), c)
		shine()
	case HairPonytail:
		p.fill(f.crown(6.5, 2, 1, -18), c)
		s := f.side
		p.fill(start(-s*8, -34).cube(-s*2, -22, s*12, -14, s*(w-1), -9).cube(s*(w), -26, s*14, -38, -s*8, -34), c)
		shine()
	case HairPigtails:
		p.fill(start(0, -37).cube(w*0.66, -37, w+2, -26, w+2.5, -4).line(w-3, 0).
			cube(w-3, -12, 10, -18, 0, -28).symmetric(), c)
		p.stroke(start(-w*0.7, -19).cube(-w*0.5, -28, -10, -31, -5, -32), 3, light)
		p.stroke(start(w*0.7, -19).cube(w*0.5, -28, 10, -31, 5, -32), 3, light)
	}
}
