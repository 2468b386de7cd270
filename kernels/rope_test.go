// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"math"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

func TestRoPE(t *testing.T) {
	for _, c := range []struct{ b, t, h, d int }{{1, 1, 1, 4}, {2, 3, 2, 8}, {3, 16, 3, 64}, {2, 64, 4, 32}, {1, 129, 5, 104},
		{3, 45, 1, 128}} {
		for _, l := range layouts {
			for flags := range 4 {
				inverse, interleaved := flags&1 != 0, flags&2 != 0
				t.Run(fmt.Sprintf("%v/%s/inverse=%v/interleaved=%v", c, strideOf[l], inverse, interleaved), func(t *testing.T) {
					h, rnd := kerneltest.New(t), kerneltest.NewRand(1)
					n, o := c.b*c.t*c.h*c.d, kernels.RoPEOptions{Inverse: inverse, Interleaved: interleaved}
					x, cos, sin := rnd.Normal(n), rnd.Normal(c.t*c.d/2), rnd.Normal(c.t*c.d/2)
					cost, sint := h.Input(cos, c.t, c.d/2), h.Input(sin, c.t, c.d/2)
					xt, yt := rows(h, x, l, c.h*c.d, c.b, c.t, c.h, c.d), rows(h, nil, l.next(1), c.h*c.d, c.b, c.t, c.h, c.d)
					zt := rows(h, x, l, c.h*c.d, c.b, c.t, c.h, c.d) // in place
					h.Run(func(p *engine.Program) {
						kernels.RoPE(p, yt.Tensor, xt.Tensor, cost, sint, o)
						kernels.RoPE(p, zt.Tensor, zt.Tensor, cost, sint, o)
					})
					y := make([]float64, n)
					ref.RoPE(y, kerneltest.Widen(x), kerneltest.Widen(cos), kerneltest.Widen(sin), c.b, c.t, c.h, c.d, inverse, interleaved)
					kerneltest.Equal(t, "y", yt.values(t), y, 1e-5)
					kerneltest.Equal(t, "in place", zt.values(t), y, 1e-5)
				})
			}
		}
	}
}

// TestRoPETables holds a few entries against the two sources, worked out by hand, and the shapes.
func TestRoPETables(t *testing.T) {
	near := func(name string, got float32, want float64) {
		if !(math.Abs(float64(got)-want) < 1e-7) {
			t.Errorf("%s = %.9g, want %.9g", name, got, want)
		}
	}
	// The post, blog256: 21x21 tokens, centres at 12 i + 8 of 256 pixels; token (row 2, column 5), D 64, frequency 3 of 16.
	cos, sin := kernels.RoPETablePost(21, 12, 16, 256, 64, 20000)
	if len(cos) != 441*32 || len(sin) != 441*32 {
		t.Fatalf("post: tables of %d and %d, want 441*32", len(cos), len(sin))
	}
	token, f := 2*21+5, math.Pow(20000, -3.0/16)
	x, y := (12*5+8)/128.0-1, (12*2+8)/128.0-1
	near("post cos x", cos[token*32+3], math.Cos(x*f))
	near("post sin x", sin[token*32+3], math.Sin(x*f))
	near("post cos y", cos[token*32+16+3], math.Cos(y*f))
	near("post sin y", sin[token*32+16+3], math.Sin(y*f))

	// The paper: 32 tokens that do not turn, then 16x16; rows first.
	cos, sin = kernels.RoPETablePaper(16, 16, 64, 10000, 32)
	if len(cos) != 288*32 || len(sin) != 288*32 {
		t.Fatalf("paper: tables of %d and %d, want 288*32", len(cos), len(sin))
	}
	for i := range 32 * 32 {
		if cos[i] != 1 || sin[i] != 0 {
			t.Fatalf("paper: prefix entry %d turns", i)
		}
	}
	token, f = 32+3*16+7, math.Pow(10000, -5.0/16)
	near("paper cos row", cos[token*32+5], math.Cos(3*f))
	near("paper sin row", sin[token*32+5], math.Sin(3*f))
	near("paper cos column", cos[token*32+16+5], math.Cos(7*f))
	near("paper sin column", sin[token*32+16+5], math.Sin(7*f))
}

func TestRoPEMisuse(t *testing.T) {
	h := kerneltest.New(t)
	x, table := h.Output(1, 2, 3, 8), h.Output(2, 4)
	mustPanic(t, "kernels: RoPE: ", func(p *engine.Program) { kernels.RoPE(p, x, h.Output(2, 24), table, table, kernels.RoPEOptions{}) })
	mustPanic(t, "kernels: RoPE: ", func(p *engine.Program) {
		kernels.RoPE(p, x, x, h.Output(3, 4), h.Output(3, 4),
			kernels.RoPEOptions{})
	})
}
