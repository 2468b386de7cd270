// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

// tokenSizes are (images, tokens, channels) around the cuts of lanes and chunks, a prime, JiT's own, and a limit of bytes that
// cuts the batch.
var tokenSizes = []struct {
	b, t, c int
	limit   int64
}{{1, 1, 1, 256}, {3, 127, 7, 0}, {9, 128, 8, 16384}, {5, 129, 9, 0}, {70, 17, 64, 1 << 17}, {7001, 2, 5, 1 << 17}, {2, 288, 768, 1 << 20}}

func TestGate(t *testing.T) {
	for _, s := range tokenSizes {
		rnd := kerneltest.NewRand(uint64(s.t))
		n := s.b * s.t * s.c
		r, x, dy, before := rnd.Normal(n), rnd.Normal(n), rnd.Normal(n), rnd.Normal(n)
		all, beforeG := rnd.Normal(s.b*6*s.c), rnd.Normal(s.b*6*s.c) // six parts a row, of which the gate is the third
		part := func(x kernels.Tensor) kernels.Tensor {
			return kernels.Tensor{Shape: []int{s.b, s.c}, Range: x.Range, Ld: 6 * s.c, Off: 2 * s.c}
		}
		got := stable(t, s.limit, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			in := func(data []float32) kernels.Tensor { return h.Input(data, s.b, s.t, s.c) }
			rt, xt, dyt, gt := in(r), in(x), in(dy), h.Input(all, s.b, 6*s.c)
			y, inPlace, dx, sumX := h.Output(s.b, s.t, s.c), in(r), h.Output(s.b, s.t, s.c), in(before)
			dg, sumG := h.Input(all, s.b, 6*s.c), h.Input(beforeG, s.b, 6*s.c)
			return func(p *engine.Program) {
				kernels.Gate(p, y, rt, xt, part(gt))
				kernels.Gate(p, inPlace, inPlace, xt, part(gt))
				kernels.GateBackward(p, dx, part(dg), dyt, xt, part(gt), false, false)
				kernels.GateBackward(p, sumX, part(sumG), dyt, xt, part(gt), true, true)
			}, []kernels.Tensor{y, inPlace, dx, dg, sumX, sumG}
		})
		wide := func(x []float32) []float64 { return kerneltest.Widen(x) }
		third := func(x []float32) (out []float64) {
			for b := range s.b {
				out = append(out, wide(x[(b*6+2)*s.c:][:s.c])...)
			}
			return out
		}
		y, dx, dg := make([]float64, n), make([]float64, n), make([]float64, s.b*s.c)
		ref.Gate(y, wide(r), wide(x), third(all), s.t, s.c)
		ref.GateBackward(dx, dg, wide(dy), wide(x), third(all), s.t, s.c)
		kerneltest.Equal(t, "y", got[0], y, 1e-5)
		kerneltest.Equal(t, "y in place", got[1], y, 1e-5)
		kerneltest.Equal(t, "dx", got[2], dx, 1e-5)
		// The other five parts are as they were.
		parts := func(before []float32, third []float64) []float64 {
			out := wide(before)
			for i, v := range third {
				out[(i/s.c*6+2)*s.c+i%s.c] = v
			}
			return out
		}
		kerneltest.Equal(t, "dg", got[3], parts(all, dg), 1e-5)
		kerneltest.Equal(t, "dx, added", got[4], sum(before, dx), 1e-5)
		kerneltest.Equal(t, "dg, added", got[5], parts(beforeG, sum(narrowed(third(beforeG)), dg)), 1e-5)
	}
}

func TestGateMisuse(t *testing.T) {
	h := kerneltest.New(t)
	x, g := h.Output(2, 3, 4), h.Output(2, 4)
	for name, f := range map[string]func(p *engine.Program){
		"another width":  func(p *engine.Program) { kernels.Gate(p, x, x, x, h.Output(2, 3)) },
		"another batch":  func(p *engine.Program) { kernels.Gate(p, x, x, x, h.Output(3, 4)) },
		"another length": func(p *engine.Program) { kernels.Gate(p, x, x, h.Output(2, 2, 4), g) },
		"tokens in rows": func(p *engine.Program) { kernels.Gate(p, x, x, h.Output(6, 4), g) },
		"tokens apart": func(p *engine.Program) {
			kernels.Gate(p, x, kernels.Tensor{Shape: []int{2, 3, 4}, Range: x.Range, Ld: 5}, x, g)
		},
		"dg of no image": func(p *engine.Program) { kernels.GateBackward(p, x, h.Output(1, 4), x, x, g, false, false) },
		"gate past range": func(p *engine.Program) {
			kernels.Gate(p, x, x, x, kernels.Tensor{Shape: []int{2, 4}, Range: g.Range, Off: 1})
		},
	} {
		t.Run(name, func(t *testing.T) { mustPanic(t, "kernels: Gate", f) })
	}
}

// TestLargeTokens: with 100 images of 441 tokens of 768 channels, which go beyond 128 MiB.
func TestLargeTokens(t *testing.T) {
	const b, dropped = 100, 25
	h, input, output := large(t)
	x, g, y, short := input(b, largeT, largeC), input(b, largeC), output(b, largeT, largeC), output(b, largeT-dropped, largeC)
	h.Run(func(p *engine.Program) {
		kernels.Gate(p, y, x, x, g)
		kernels.DropTokens(p, short, x)
	})
	for _, r := range sampled(b*largeT, largeC) {
		xr, want := wideRow(h, x, r, largeC), make([]float64, largeC)
		ref.Gate(want, xr, xr, wideRow(h, g, r/largeT, largeC), 1, largeC)
		kerneltest.Equal(t, "gate y", row(h, y, r, largeC), want, 1e-5)
		if at := r % largeT; at >= dropped {
			kerneltest.Equal(t, fmt.Sprint("kept token ", at), row(h, short, r/largeT*(largeT-dropped)+at-dropped, largeC), xr, 0)
		}
	}
	written(t, h, "gate", y, b*largeT, largeC)
	written(t, h, "kept tokens", short, b*(largeT-dropped), largeC)
}
