// SPDX-License-Identifier: MIT

package faces

// hatBack draws the part of a hat that is behind the head.
func (f *portrait) hatBack(p *painter) {
	if f.Hat == HatSun {
		p.fill(ellipse(0, -19, 47, 13), solid(straw.darker(64)))
	}
}

var (
	straw = rgb{246, 214, 138}
	gold  = rgb{252, 204, 64}
)

// dome is a hat that hugs the skull from the line y up to the height top.
func (f *portrait) dome(y, top float64) path {
	w := f.w + 3.5
	return start(0, top).cube(w*0.66, top, w, top+12, w, y).line(0, y).symmetric()
}

func (f *portrait) hat(p *painter) {
	w, c, c1 := f.w, f.hatColor, f.hatColor1
	switch f.Hat {
	case HatCap:
		p.fill(f.dome(-15, -42), solid(c))
		p.fill(ellipse(0, -31, 8, 7), solid(c1))
		p.fill(ellipse(0, -42, 3.5, 2.2), solid(c1))
		p.fill(start(0, -23).cube(16, -23, w+3, -20, w+6, -11).cube(w-4, -15, 12, -16, 0, -16).symmetric(), solid(c.darker(64)))
	case HatBeanie:
		p.fill(ellipse(0, -42, 8, 6.5), solid(c1))
		p.fill(f.dome(-15, -41), solid(c))
		p.fill(superellipse(0, -17.5, w+5, 6, 0.85), solid(c1))
	case HatTop:
		p.fill(start(0, -56).line(w-2, -56).line(w-5, -20).line(0, -20).symmetric(), solid(c))
		p.fill(polygon(-w+4.5, -28, w-4.5, -28, w-5, -20, -w+5, -20), solid(c1))
		p.fill(superellipse(0, -18, w+10, 4.5, 0.62), solid(c.darker(40)))
	case HatSun:
		p.fill(f.dome(-22, -43), solid(straw))
		p.fill(superellipse(0, -23, w+3, 5, 0.8), solid(c))
		p.fill(start(0, -22).cube(24, -22, 40, -22, 47, -16).cube(34, -12, 16, -14, 0, -14).symmetric(), solid(straw))
	case HatCrown:
		p.fill(polygon(-w+3, -19, -w-2, -40, -w*0.5, -31, 0, -45, w*0.5, -31, w+2, -40, w-3, -19), solid(gold))
		p.fill(polygon(-w+2.6, -21, w-2.6, -21, w-3, -17, -w+3, -17), solid(gold.darker(52)))
		p.fill(ellipse(0, -30, 4, 4.6), solid(rgb{224, 52, 84}))
		p.fill(ellipse(-w*0.58, -27, 3, 3.4), solid(rgb{52, 120, 226}))
		p.fill(ellipse(w*0.58, -27, 3, 3.4), solid(rgb{52, 120, 226}))
	}
}
