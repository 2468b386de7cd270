// SPDX-License-Identifier: MIT

package faces

import (
	"image"
	"image/draw"
	"math"

	"golang.org/x/image/vector"
)

// Drawing happens in design units: the picture spans [-50, 50] in x and y, y
// pointing down, so one pixel of a 32 px portrait is 3.125 units.
const designSpan = 100

// snap is the grid, per pixel, that flattened points are rounded to. It is the
// rasterizer's own sub-pixel grid, and it hides the last bits of a coordinate,
// which may differ between processors with and without fused multiply-add.
const snap = 512

type point struct{ x, y float64 }

// affine maps (x, y) to (a x + c y + e, b x + d y + f).
type affine struct{ a, b, c, d, e, f float64 }

// apply maps a point. The conversions keep the compiler from fusing.
func (m affine) apply(p point) point {
	return point{
		float64(m.a*p.x) + float64(m.c*p.y) + m.e,
		float64(m.b*p.x) + float64(m.d*p.y) + m.f,
	}
}

// then returns the map that applies n first and m after it.
func (m affine) then(n affine) affine {
	o := m.apply(point{n.e, n.f})
	return affine{
		a: float64(m.a*n.a) + float64(m.c*n.b), b: float64(m.b*n.a) + float64(m.d*n.b),
		c: float64(m.a*n.c) + float64(m.c*n.d), d: float64(m.b*n.c) + float64(m.d*n.d),
		e: o.x, f: o.y,
	}
}

func translate(x, y float64) affine { return affine{a: 1, d: 1, e: x, f: y} }
func scale(x, y float64) affine     { return affine{a: x, d: y} }

// rotate turns by angle radians about (x, y), clockwise on the screen.
func rotate(angle, x, y float64) affine {
	s, c := math.Sincos(angle)
	return translate(x, y).then(affine{a: c, b: s, c: -s, d: c}).then(translate(-x, -y))
}

type verb uint8

const (
	moveTo verb = iota
	lineTo
	cubeTo
)

// segment is one step of a path: p[2] is where it ends, p[0] and p[1] are the
// control points of a cubic.
type segment struct {
	verb verb
	p    [3]point
}

// path is a list of subpaths, each opened by a moveTo.
type path []segment

func start(x, y float64) path { return path{{moveTo, [3]point{2: {x, y}}}} }

func (s path) line(x, y float64) path {
	return append(s, segment{lineTo, [3]point{2: {x, y}}})
}

func (s path) cube(x0, y0, x1, y1, x, y float64) path {
	return append(s, segment{cubeTo, [3]point{{x0, y0}, {x1, y1}, {x, y}}})
}

// reverse returns a single subpath walked from its end to its start.
func (s path) reverse() path {
	last := s[len(s)-1].p[2]
	r := append(make(path, 0, len(s)), start(last.x, last.y)...)
	for i := len(s) - 1; i > 0; i-- {
		r = append(r, segment{s[i].verb, [3]point{s[i].p[1], s[i].p[0], s[i-1].p[2]}})
	}
	return r
}

// mirror returns the path reflected in the vertical axis.
func (s path) mirror() path {
	r := make(path, len(s))
	for i, g := range s {
		for j := range g.p {
			g.p[j].x = -g.p[j].x
		}
		r[i] = g
	}
	return r
}

// shift returns the path moved by (x, y).
func (s path) shift(x, y float64) path {
	r := make(path, len(s))
	for i, g := range s {
		for j := range g.p {
			g.p[j].x += x
			g.p[j].y += y
		}
		r[i] = g
	}
	return r
}

// symmetric closes the right half of an outline, which runs from the axis to
// the axis, with its own mirror image.
func (s path) symmetric() path {
	return append(s[:len(s):len(s)], s.mirror().reverse()[1:]...)
}

// kappa is the control arm of a cubic that stands for a quarter of a circle.
const kappa = 0.5522847498

// ellipse is centred on (x, y) with radii rx and ry.
func ellipse(x, y, rx, ry float64) path {
	return superellipse(x, y, rx, ry, kappa)
}

// superellipse is an ellipse with control arms k: 0.55 round, 0.8 nearly a
// rectangle with soft corners.
func superellipse(x, y, rx, ry, k float64) path {
	kx, ky := rx*k, ry*k
	return start(x, y-ry).
		cube(x+kx, y-ry, x+rx, y-ky, x+rx, y).
		cube(x+rx, y+ky, x+kx, y+ry, x, y+ry).
		cube(x-kx, y+ry, x-rx, y+ky, x-rx, y).
		cube(x-rx, y-ky, x-kx, y-ry, x, y-ry)
}

// polygon joins the points (x0, y0, x1, y1, ...).
func polygon(xy ...float64) path {
	s := start(xy[0], xy[1])
	for i := 2; i < len(xy); i += 2 {
		s = s.line(xy[i], xy[i+1])
	}
	return s
}

// ring is the outer shape with a hole; both are single closed subpaths drawn
// the same way round. The rasterizer sums signed areas, so the hole is walked
// backwards.
func ring(outer, inner path) path {
	return append(outer[:len(outer):len(outer)], inner.reverse()...)
}

// ink is a colour or a linear gradient, laid over what is there with opacity
// alpha. The gradient runs from c0 at p0 to c1 at p1, design units.
type ink struct {
	c0, c1 rgb
	p0, p1 point
	linear bool
	alpha  float64
}

func solid(c rgb) ink                { return ink{c0: c, alpha: 1} }
func glaze(c rgb, alpha float64) ink { return ink{c0: c, alpha: alpha} }
func shaded(c0, c1 rgb, y0, y1 float64) ink { // top to bottom
	return ink{c0: c0, c1: c1, p0: point{0, y0}, p1: point{0, y1}, linear: true, alpha: 1}
}

// painter fills paths on one square picture.
type painter struct {
	dst  *image.RGBA
	size int
	m    affine // design units to pixels

	ras  vector.Rasterizer
	pts  []point // the flattened path, pixels
	ends []int   // where each subpath ends in pts
	mask []uint8 // coverage inside the last box
	clip []uint8 // coverage of the clip path over the whole picture; nil: none
}

func newPainter(size int) *painter {
	p := &painter{dst: image.NewRGBA(image.Rect(0, 0, size, size)), size: size}
	p.pose(translate(0, 0))
	return p
}

// pose places what is drawn from now on; design units to design units.
func (p *painter) pose(m affine) {
	k := float64(p.size) / designSpan
	p.m = affine{a: k, d: k, e: float64(p.size) / 2, f: float64(p.size) / 2}.then(m)
}

// pixel maps a design point to snapped pixels.
func (p *painter) pixel(q point) point {
	q = p.m.apply(q)
	return point{math.Round(q.x*snap) / snap, math.Round(q.y*snap) / snap}
}

// flatten turns the path into polylines in p.pts. A cubic becomes as many
// pieces as keep each within about 1/30 pixel of the curve.
func (p *painter) flatten(s path) {
	p.pts, p.ends = p.pts[:0], p.ends[:0]
	var pen point
	for i, g := range s {
		end := p.m.apply(g.p[2])
		switch g.verb {
		case moveTo:
			if i > 0 {
				p.ends = append(p.ends, len(p.pts))
			}
		case cubeTo:
			b, c := p.m.apply(g.p[0]), p.m.apply(g.p[1])
			dev := max(bend(pen, b, end), bend(pen, c, end))
			n := 1 + int(math.Sqrt(12*math.Sqrt(dev)))
			for j := 1; j < n; j++ {
				t := float64(j) / float64(n)
				u := 1 - t
				w0, w1, w2, w3 := u*u*u, 3*u*u*t, 3*u*t*t, t*t*t
				p.pts = append(p.pts, point{
					float64(w0*pen.x) + float64(w1*b.x) + float64(w2*c.x) + float64(w3*end.x),
					float64(w0*pen.y) + float64(w1*b.y) + float64(w2*c.y) + float64(w3*end.y),
				})
			}
		}
		p.pts = append(p.pts, end)
		pen = end
	}
	p.ends = append(p.ends, len(p.pts))
}

// bend is the squared second difference of three points, pixels squared.
func bend(a, b, c point) float64 {
	dx, dy := a.x-2*b.x+c.x, a.y-2*b.y+c.y
	return float64(dx*dx) + float64(dy*dy)
}

// fill paints the inside of a path.
func (p *painter) fill(s path, f ink) {
	p.flatten(s)
	p.lay(f)
}

// stroke paints a single open path as a line of the given width (design
// units) with round ends.
func (p *painter) stroke(s path, width float64, f ink) {
	p.flatten(s)
	line := append([]point(nil), p.pts...)
	// One design unit in pixels, whatever the turn of the pose.
	r := width / 2 * math.Sqrt(math.Abs(float64(p.m.a*p.m.d)-float64(p.m.b*p.m.c)))
	p.pts, p.ends = p.pts[:0], p.ends[:0]
	n := len(line)
	for i := range line { // one side, out
		p.pts = append(p.pts, offset(line, i, r))
	}
	p.roundEnd(line[n-1], offset(line, n-1, r), r)
	for i := n - 1; i >= 0; i-- { // the other side, back
		p.pts = append(p.pts, offset(line, i, -r))
	}
	p.roundEnd(line[0], offset(line, 0, -r), r)
	p.ends = append(p.ends, len(p.pts))
	p.lay(f)
}

// offset moves point i of a polyline sideways by r, along the mean normal of
// the pieces that meet there.
func offset(line []point, i int, r float64) point {
	a, b := line[max(i-1, 0)], line[min(i+1, len(line)-1)]
	dx, dy := b.x-a.x, b.y-a.y
	l := math.Sqrt(float64(dx*dx) + float64(dy*dy))
	if l == 0 {
		return line[i]
	}
	return point{line[i].x - float64(r*dy/l), line[i].y + float64(r*dx/l)}
}

// roundEnd appends half a circle about c that begins at from.
func (p *painter) roundEnd(c, from point, r float64) {
	const n = 10
	s, k := math.Sincos(-math.Pi / n)
	d := point{from.x - c.x, from.y - c.y}
	for range n - 1 {
		d = point{float64(k*d.x) - float64(s*d.y), float64(s*d.x) + float64(k*d.y)}
		p.pts = append(p.pts, point{c.x + d.x, c.y + d.y})
	}
}

// within limits what paint draws to the inside of s.
func (p *painter) within(s path, paint func()) {
	p.flatten(s)
	box := p.rasterize()
	clip := make([]uint8, p.size*p.size)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		copy(clip[y*p.size+box.Min.X:], p.mask[(y-box.Min.Y)*box.Dx():][:box.Dx()])
	}
	p.clip = clip
	paint()
	p.clip = nil
}

// rasterize turns p.pts into coverage in p.mask and returns the box of pixels
// that it covers, row-major.
func (p *painter) rasterize() image.Rectangle {
	lo, hi := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for i, q := range p.pts {
		q = point{math.Round(q.x*snap) / snap, math.Round(q.y*snap) / snap}
		p.pts[i] = q
		lo = point{min(lo.x, q.x), min(lo.y, q.y)}
		hi = point{max(hi.x, q.x), max(hi.y, q.y)}
	}
	box := image.Rect(int(math.Floor(lo.x)), int(math.Floor(lo.y)), int(math.Ceil(hi.x)), int(math.Ceil(hi.y)))
	box = box.Intersect(p.dst.Rect)
	if box.Empty() {
		return image.Rectangle{}
	}
	n := box.Dx() * box.Dy()
	if cap(p.mask) < n {
		p.mask = make([]uint8, n)
	}
	p.mask = p.mask[:n]
	mask := &image.Alpha{Pix: p.mask, Stride: box.Dx(), Rect: box}
	for y := box.Min.Y; y < box.Max.Y; y += tile {
		for x := box.Min.X; x < box.Max.X; x += tile {
			p.rasterizeTile(mask, image.Rect(x, y, x+tile, y+tile).Intersect(box))
		}
	}
	return box
}

// tile is the largest side for which vector.Rasterizer counts in integers. In
// floats, its sums depend on the processor.
const tile = 512

// rasterizeTile writes the coverage of p.pts inside r to mask.
func (p *painter) rasterizeTile(mask *image.Alpha, r image.Rectangle) {
	p.ras.Reset(r.Dx(), r.Dy())
	p.ras.DrawOp = draw.Src
	x0, y0 := float64(r.Min.X), float64(r.Min.Y)
	first := 0
	for _, end := range p.ends {
		for i, q := range p.pts[first:end] {
			x, y := float32(q.x-x0), float32(q.y-y0)
			if i == 0 {
				p.ras.MoveTo(x, y)
			} else {
				p.ras.LineTo(x, y)
			}
		}
		p.ras.ClosePath()
		first = end
	}
	if r == mask.Rect { // the rasterizer's fast path wants equal bounds at the origin
		r = r.Sub(r.Min)
		mask = &image.Alpha{Pix: mask.Pix, Stride: mask.Stride, Rect: r}
	}
	p.ras.Draw(mask, r, image.Opaque, image.Point{})
}

// lay paints the flattened path. Blending is in 8-bit sRGB, in integers.
func (p *painter) lay(f ink) {
	box := p.rasterize()
	if box.Empty() {
		return
	}
	alpha := uint32(math.Round(f.alpha * 255))
	c := f.c0
	var p0 point
	var gx, gy float64 // gradient steps per pixel, 256 from c0 to c1
	if f.linear {
		p0 = p.pixel(f.p0)
		p1 := p.pixel(f.p1)
		dx, dy := p1.x-p0.x, p1.y-p0.y
		l := 256 / (float64(dx*dx) + float64(dy*dy))
		gx, gy = dx*l, dy*l
	}
	for y := box.Min.Y; y < box.Max.Y; y++ {
		row := p.mask[(y-box.Min.Y)*box.Dx():][:box.Dx()]
		for i, m := range row {
			if m == 0 {
				continue
			}
			x := box.Min.X + i
			a := uint32(m)
			if alpha != 255 {
				a = (a*alpha + 127) / 255
			}
			if p.clip != nil {
				a = (a*uint32(p.clip[y*p.size+x]) + 127) / 255
			}
			if f.linear {
				t := float64((float64(x)+0.5-p0.x)*gx) + float64((float64(y)+0.5-p0.y)*gy)
				c = f.c0.mix(f.c1, int(math.Floor(min(max(t, 0), 256))))
			}
			d := p.dst.Pix[y*p.dst.Stride+4*x:][:4:4]
			d[0] = uint8((uint32(d[0])*(255-a) + uint32(c.r)*a + 127) / 255)
			d[1] = uint8((uint32(d[1])*(255-a) + uint32(c.g)*a + 127) / 255)
			d[2] = uint8((uint32(d[2])*(255-a) + uint32(c.b)*a + 127) / 255)
			d[3] = uint8((uint32(d[3])*(255-a) + 255*a + 127) / 255)
		}
	}
}

// rgb is an opaque sRGB colour.
type rgb struct{ r, g, b uint8 }

// mix moves from c (t 0) to d (t 256).
func (c rgb) mix(d rgb, t int) rgb {
	f := func(a, b uint8) uint8 { return uint8((int(a)*(256-t) + int(b)*t + 128) >> 8) }
	return rgb{f(c.r, d.r), f(c.g, d.g), f(c.b, d.b)}
}

func (c rgb) darker(t int) rgb  { return c.mix(rgb{40, 16, 32}, t) }
func (c rgb) lighter(t int) rgb { return c.mix(rgb{255, 250, 240}, t) }

// luma is the brightness, 0 to 255 (BT.601 weights).
func (c rgb) luma() int { return (299*int(c.r) + 587*int(c.g) + 114*int(c.b)) / 1000 }

// distance is a rough perceptual distance, 0 to about 765 ("redmean").
func (c rgb) distance(d rgb) int {
	r := (int(c.r) + int(d.r)) / 2
	dr, dg, db := int(c.r)-int(d.r), int(c.g)-int(d.g), int(c.b)-int(d.b)
	s := ((512+r)*dr*dr)>>8 + 4*dg*dg + ((767-r)*db*db)>>8
	return int(math.Sqrt(float64(s)))
}
