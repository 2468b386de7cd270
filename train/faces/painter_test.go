// SPDX-License-Identifier: MIT

package faces

import (
	"math"
	"testing"
)

// covered is the area painted white on black, in square design units.
func covered(p *painter) float64 {
	var s float64
	for i := 0; i < len(p.dst.Pix); i += 4 {
		s += float64(p.dst.Pix[i]) / 255
	}
	k := designSpan / float64(p.size)
	return s * k * k
}

func TestAreas(t *testing.T) {
	white := solid(rgb{255, 255, 255})
	disc := ellipse(3, -2, 20, 10)
	for _, c := range []struct {
		name  string
		paint func(p *painter)
		want  float64
	}{
		{"ellipse", func(p *painter) { p.fill(disc, white) }, math.Pi * 200},
		{"reversed", func(p *painter) { p.fill(disc.reverse(), white) }, math.Pi * 200},
		{"mirrored", func(p *painter) { p.fill(disc.mirror(), white) }, math.Pi * 200},
		{"shifted half out", func(p *painter) { p.fill(disc.shift(47, 0), white) }, math.Pi * 100},
		{"outside", func(p *painter) { p.fill(disc.shift(200, 0), white) }, 0},
		{"ring", func(p *painter) { p.fill(ring(disc, ellipse(3, -2, 10, 5)), white) }, math.Pi * 150},
		{"symmetric", func(p *painter) { p.fill(start(0, -10).line(20, 0).line(0, 10).symmetric(), white) }, 400},
		{"stroke", func(p *painter) { p.stroke(start(-20, 0).line(20, 0), 6, white) }, 240 + math.Pi*9},
		{"bent stroke", func(p *painter) { p.stroke(start(20, 0).cube(20, 20*kappa, 20*kappa, 20, 0, 20), 6, white) },
			math.Pi*60 + math.Pi*9},
		{"clipped", func(p *painter) {
			p.within(polygon(-50, -2, 50, -2, 50, 50, -50, 50), func() { p.fill(disc, white) })
		}, math.Pi * 100},
		{"half opaque", func(p *painter) { p.fill(disc, glaze(rgb{255, 255, 255}, 0.5)) }, math.Pi * 100},
		{"gradient", func(p *painter) {
			p.fill(polygon(-50, -50, 50, -50, 50, 50, -50, 50), shaded(rgb{}, rgb{255, 255, 255}, -50, 50))
		}, 5000},
		{"turned", func(p *painter) { p.pose(rotate(0.7, 5, 5)); p.fill(disc, white) }, math.Pi * 200},
		{"zoomed", func(p *painter) { p.pose(translate(2, 0).then(scale(1.5, 1))); p.fill(disc, white) }, math.Pi * 300},
	} {
		for _, size := range []int{64, 200} {
			p := newPainter(size)
			p.fill(polygon(-50, -50, 50, -50, 50, 50, -50, 50), solid(rgb{}))
			c.paint(p)
			if got := covered(p); math.Abs(got-c.want) > 0.012*c.want+1 {
				t.Errorf("%s at %d px covers %.1f, want %.1f", c.name, size, got, c.want)
			}
		}
	}
}

func TestColours(t *testing.T) {
	a, b := rgb{10, 20, 30}, rgb{250, 0, 99}
	if a.mix(b, 0) != a || a.mix(b, 256) != b {
		t.Errorf("mix misses its ends: %v %v", a.mix(b, 0), a.mix(b, 256))
	}
	if d := a.distance(a); d != 0 {
		t.Errorf("distance to itself %d", d)
	}
	if d := (rgb{}).distance(rgb{255, 255, 255}); d < 700 || d > 800 {
		t.Errorf("black to white is %d, want about 765", d)
	}
}
