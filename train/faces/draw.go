// SPDX-License-Identifier: MIT

package faces

import (
	"fmt"
	"image"
)

// Draw paints portrait number index of the set that seed names, size pixels on
// each side, and says what it shows. The picture is opaque. The same seed and
// index give the same bytes on every machine, and the same portrait at every
// size. Draw may be called from several goroutines at once; it panics on a
// size below 8.
func Draw(seed uint64, index, size int) (*image.RGBA, Attributes) {
	if size < 8 {
		panic(fmt.Sprintf("faces: Draw: size %d: need at least 8", size))
	}
	f := sample(seed, index)
	p := newPainter(size)
	f.paint(p)
	return p.dst, f.Attributes
}

// Describe returns what Draw would show, without drawing.
func Describe(seed uint64, index int) Attributes { return sample(seed, index).Attributes }

// paint draws from back to front.
func (f *portrait) paint(p *painter) {
	f.background(p)

	body := translate(f.shiftX, f.shiftY+1).then(scale(f.zoom, f.zoom))
	head := body.then(rotate(f.tilt, 0, 36))
	features := head.then(translate(f.turn, f.nod))

	p.pose(head)
	f.hairBack(p)
	f.hatBack(p)
	p.pose(body)
	f.shoulders(p)
	p.pose(head)
	f.ears(p)
	f.head(p)
	f.beard(p)
	p.pose(features)
	f.cheeks(p)
	f.moustache(p)
	f.nose(p)
	f.mouth(p)
	f.lenses(p)
	f.eyes(p)
	p.pose(head)
	f.hairFront(p)
	p.pose(features)
	f.brows(p)
	p.pose(head)
	f.hat(p)
	p.pose(features)
	f.glasses(p)
}

func (f *portrait) background(p *painter) {
	all := polygon(-50, -50, 50, -50, 50, 50, -50, 50)
	switch f.Background {
	case BackgroundGradient:
		p.fill(all, shaded(f.back0, f.back1, -50, 50))
	case BackgroundDisc:
		p.fill(all, solid(f.back0))
		p.fill(ellipse(0, 0, 45, 45), solid(f.back1))
	case BackgroundHorizon:
		p.fill(all, solid(f.back0))
		p.fill(polygon(-50, 14, 50, 14, 50, 50, -50, 50), solid(f.back1))
	default:
		p.fill(all, solid(f.back0))
	}
}

// outline is the head without ears and hair.
func (f *portrait) outline() path {
	return start(0, -30).
		cube(f.w*0.6, -30, f.w, -20, f.w, -2).
		cube(f.w, f.jawY, f.jawX, f.chin, 0, f.chin).
		symmetric()
}

func (f *portrait) head(p *painter) {
	p.fill(f.outline(), solid(f.skin))
}

func (f *portrait) shoulders(p *painter) {
	neck := f.skin.darker(44)
	p.fill(polygon(-11, 20, 11, 20, 12, 46, -12, 46), solid(neck))
	torso := start(0, 41).line(11, 41).cube(28, 42, 42, 43, 46, 70).line(0, 70).symmetric()
	p.fill(torso, solid(f.cloth))
	switch f.Clothes {
	case ClothesCrew:
		p.fill(ellipse(0, 41, 14, 6.5), solid(f.cloth1))
		p.fill(ellipse(0, 40, 11.5, 5), solid(neck))
	case ClothesVNeck:
		p.fill(polygon(-13, 39, 13, 39, 0, 53), solid(neck))
	case ClothesShirt:
		p.fill(polygon(-8, 39, 8, 39, 0, 49), solid(neck))
		white := solid(f.cloth.lighter(150))
		if f.cloth.luma() > 200 {
			white = solid(f.cloth1)
		}
		collar := polygon(9, 36, 16, 42, 11, 52, 0, 46)
		p.fill(collar, white)
		p.fill(collar.mirror(), white)
	case ClothesTurtleneck:
		p.fill(superellipse(0, 42, 14, 9, 0.8), solid(f.cloth.darker(36)))
	case ClothesHoodie:
		p.fill(ellipse(0, 42, 24, 9), solid(f.cloth.darker(48)))
		p.fill(ellipse(0, 40, 13, 6), solid(neck))
	}
}

func (f *portrait) ears(p *painter) {
	if f.Hair == HairLong || f.Hair == HairFringe {
		return // covered
	}
	for _, s := range []float64{-1, 1} {
		x := s * (f.w + 0.5)
		p.fill(ellipse(x, 3, 5, 7), solid(f.skin.darker(16)))
		p.fill(ellipse(x, 3, 2.4, 4), solid(f.skin.darker(60)))
		if f.Earrings {
			p.fill(ellipse(x+s, 12, 3.4, 3.4), solid(f.earring))
		}
	}
}

func (f *portrait) cheeks(p *painter) {
	c := glaze(rgb{236, 84, 84}, 0.26)
	p.fill(ellipse(-18, 12, 5.5, 4), c)
	p.fill(ellipse(18, 12, 5.5, 4), c)
}

func (f *portrait) beard(p *painter) {
	c := solid(f.hair.darker(20))
	switch f.Beard {
	case BeardFull:
		p.fill(start(0, 14).
			cube(7, 12, 12, 14, 16, 15).
			cube(f.w-6, 15, f.w-3, 8, f.w-2, 0).
			line(f.w+1.2, 0).
			cube(f.w+2, f.jawY+2, f.jawX+4, f.chin+4.5, 0, f.chin+4.5).
			symmetric(), c)
	case BeardGoatee:
		outer := start(0, 14).cube(7, 11.5, 15, 13, 15, 22).cube(15, f.chin, 9, f.chin+4, 0, f.chin+4).symmetric()
		p.fill(ring(outer, superellipse(0, 22.5, 10, 4.6, 0.7)), c)
	}
}

func (f *portrait) moustache(p *painter) {
	if f.Beard == BeardMoustache {
		p.fill(start(0, 13.5).cube(5, 11.5, 12, 12.5, 17, 19.5).cube(11, 20, 4, 19.5, 0, 18.5).symmetric(), solid(f.hair.darker(20)))
	}
}

func (f *portrait) nose(p *painter) {
	c := solid(f.skin.darker(64))
	switch f.noseKind {
	case 0: // button
		p.fill(ellipse(0, 9, 4.4, 3.2), c)
	case 1: // bridge
		p.stroke(start(f.side*1.5, 2).cube(f.side*4.5, 7, f.side*5, 10.5, -f.side*1.5, 10.5), 2.6, c)
	case 2: // wide
		p.stroke(start(-4, 9).cube(-2, 12, 2, 12, 4, 9), 2.8, c)
	}
}

func (f *portrait) mouth(p *painter) {
	line := f.skin.mix(rgb{120, 30, 40}, 190)
	if f.skin.luma() < 125 { // dark skin: lighter lips show better
		line = f.skin.mix(rgb{240, 116, 120}, 170)
	}
	if f.Lashes {
		line = rgb{206, 38, 70}
	} else if f.Beard == BeardFull {
		line = rgb{236, 140, 128}
	}
	inside, tongue, teeth := rgb{110, 26, 38}, rgb{238, 104, 110}, rgb{255, 252, 246}
	w := f.mouthW
	switch f.Expression {
	case Neutral:
		p.stroke(start(-w*0.72, 21.5).cube(-3, 22.2, 3, 22.2, w*0.72, 21.5), 3.8, solid(line))
	case Smile:
		p.stroke(start(-w, 19.5).cube(-w*0.6, 26.5, w*0.6, 26.5, w, 19.5), 4, solid(line))
	case Laugh:
		m := start(0, 18.5).cube(w*0.5, 18.5, w*0.8, 18.2, w+1, 18).cube(w, 32, 5, 31, 0, 31).symmetric()
		if f.Lashes {
			p.stroke(append(m, m[1]), 3, solid(line))
		}
		p.fill(m, solid(inside))
		p.within(m, func() {
			p.fill(ellipse(0, 31, 7, 5), solid(tongue))
			p.fill(polygon(-20, 16, 20, 16, 20, 22, -20, 22), solid(teeth))
		})
	case Sad:
		p.stroke(start(-w*0.8, 24.5).cube(-w*0.5, 19, w*0.5, 19, w*0.8, 24.5), 4, solid(line))
	case Surprised:
		p.fill(ellipse(0, 23, 6.2, 7), solid(line))
		p.fill(ellipse(0, 23.2, 4.2, 5), solid(inside))
	}
}

func (f *portrait) eyes(p *painter) {
	if f.Glasses == GlassesSun {
		return
	}
	dark := rgb{34, 26, 38}
	rx, ry := f.eyeRX, f.eyeRY
	if f.Expression == Surprised {
		ry *= 1.12
	}
	for _, s := range []float64{-1, 1} {
		x := s * f.eyeX
		if f.EyesClosed {
			p.stroke(start(x-rx*0.85, 2).cube(x-rx*0.5, -5.5, x+rx*0.5, -5.5, x+rx*0.85, 2), 3.8, solid(dark))
			if f.Lashes {
				p.stroke(start(x+s*rx*0.85, 2).line(x+s*(rx+2.5), -0.5), 2.6, solid(dark))
			}
			continue
		}
		white := ellipse(x, 0, rx, ry)
		if f.Lashes { // a thick upper lid with a flick
			p.fill(ellipse(x, -1.6, rx+1.2, ry+0.6), solid(dark))
			p.stroke(start(x+s*rx*0.7, -ry*0.6).line(x+s*(rx+3.2), -ry-0.6), 2.8, solid(dark))
		} else {
			p.fill(ellipse(x, -1, rx+0.4, ry+0.3), solid(f.skin.darker(110)))
		}
		p.fill(white, solid(rgb{255, 255, 255}))
		ix, iy := x+f.gazeX*1.7+s*-0.6, f.gazeY*1.6+0.4
		p.within(white, func() {
			p.fill(ellipse(ix, iy, 5.7, 6), solid(f.iris))
			p.fill(ellipse(ix, iy, 3.6, 3.8), solid(dark))
			p.fill(ellipse(ix+f.side*1.8, iy-2.1, 1.8, 1.8), solid(rgb{255, 255, 255}))
			if f.Expression == Sad { // a heavy lid
				p.fill(polygon(x-s*12, -16, x+s*12, -16, x+s*12, -1.5, x-s*12, -ry-0.5), solid(f.skin.darker(36)))
			}
		})
	}
}

func (f *portrait) brows(p *painter) {
	c := f.hair.darker(48)
	for c.distance(f.skin) < 150 && c.luma() > 40 {
		c = c.darker(64)
	}
	if f.Hair == HairFringe {
		return // they are under it
	}
	lift, slope := 0.0, f.browTilt // slope > 0: inner ends up
	switch f.Expression {
	case Sad:
		lift, slope = 0, 2.6
	case Surprised:
		lift = 2.2
	case Smile, Laugh:
		lift = 0.8
	}
	for _, s := range []float64{-1, 1} {
		in, out, y := s*(f.eyeX-6), s*(f.eyeX+6.5), -f.eyeRY-4.6-lift
		p.stroke(start(in, y-slope).cube(in+s*4, y-2-slope*0.5, out-s*4, y-2+slope*0.5, out, y+slope), f.browThick, solid(c))
	}
}

// lens is one glass of radius r, on the right (s 1) or left (s -1).
func (f *portrait) lens(s, r float64) path {
	x := s * f.lensX()
	switch f.Glasses {
	case GlassesSquare:
		return superellipse(x, 0.5, r+0.6, r-1.6, 0.84)
	case GlassesSun: // flat at the brow, round at the cheek
		t := r - 2
		return start(0, -t+1.5).cube(r*0.7, -t+1, r, -t+1, r+0.6, -t+2).
			cube(r+1, t*0.5, r*0.6, r+0.5, 0, r+0.5).symmetric().shift(x, 0)
	default:
		return ellipse(x, 0.5, r+0.3, r)
	}
}

// lensX is how far the middle of a lens is from the axis.
func (f *portrait) lensX() float64 { return f.eyeX + 0.9 }

const lensRadius = 12.2

// lenses tints the face behind clear glasses; the eyes come on top, so that
// they keep their contrast.
func (f *portrait) lenses(p *painter) {
	if f.Glasses == GlassesRound || f.Glasses == GlassesSquare {
		for _, s := range []float64{-1, 1} {
			p.fill(f.lens(s, lensRadius), glaze(rgb{226, 244, 255}, 0.42))
		}
	}
}

func (f *portrait) glasses(p *painter) {
	if f.Glasses == GlassesNone {
		return
	}
	const thick, r = 3.6, lensRadius
	x := f.lensX()
	frame := f.frame
	if f.Glasses == GlassesSun {
		frame = rgb{28, 26, 36}
	} else if frame.distance(f.skin) < 150 {
		frame = rgb{30, 26, 36}
	}
	for _, s := range []float64{-1, 1} { // the arms, to the ears
		p.stroke(start(s*(x+11), -2).line(s*(f.w+1)-f.turn, -3), thick*0.8, solid(frame))
	}
	p.stroke(start(-x+9, -1).cube(-3, -4, 3, -4, x-9, -1), thick, solid(frame))
	for _, s := range []float64{-1, 1} {
		if f.Glasses == GlassesSun {
			p.fill(f.lens(s, r), solid(frame))
			p.fill(f.lens(s, r-2.4), shaded(f.shades, f.shades.lighter(100), -8, 14))
			p.stroke(start(s*x+f.side*4.5, 1).line(s*x+f.side*0.5, -4), 2.2, glaze(rgb{255, 255, 255}, 0.65))
			continue
		}
		p.fill(ring(f.lens(s, r), f.lens(s, r-thick)), solid(frame))
	}
}
