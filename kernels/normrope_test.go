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

// qkCases are queries to normalise and turn: one head, the cuts of lanes, and the heads of tiny, jit-h16 and blog256.
var qkCases = []struct{ b, t, h, d int }{{1, 1, 1, 4}, {2, 3, 2, 8}, {1, 7, 3, 12}, {2, 17, 1, 28}, {3, 16, 3, 64}, {2, 64, 4, 32},
	{1, 129, 5, 104}, {2, 45, 1, 128}, {1, 441, 12, 64}}

func TestNormRoPE(t *testing.T) {
	const eps = 0.1
	for _, c := range qkCases {
		for _, l := range layouts {
			for flags := range 4 {
				acc, interleaved := flags&1 != 0, flags&2 != 0
				t.Run(fmt.Sprintf("%v/%s/acc=%v/interleaved=%v", c, strideOf[l], acc, interleaved), func(t *testing.T) {
					h, rnd := kerneltest.New(t), kerneltest.NewRand(1)
					width, n := c.h*c.d, c.b*c.t*c.h
					tensor := func(i int, data []float32) rowTensor { return rows(h, data, l.next(i), width, c.b, c.t, c.h, c.d) }
					x, w, dy, dx0, dw0 := rnd.Normal(n*c.d), rnd.Normal(c.d), rnd.Normal(n*c.d), rnd.Normal(n*c.d), rnd.Normal(c.d)
					cos, sin := rnd.Normal(c.t*c.d/2), rnd.Normal(c.t*c.d/2)
					cost, sint, wt, rstdt := h.Input(cos, c.t, c.d/2), h.Input(sin, c.t, c.d/2), h.Input(w, c.d), h.Output(c.b, c.t, c.h)
					xt, yt, dyt, dxt := tensor(0, x), tensor(1, nil), tensor(2, dy), tensor(3, pick(acc, dx0))
					dwt := rows(h, pick(acc, dw0), packed, c.d, c.d)
					h.Run(func(p *engine.Program) {
						kernels.NormRoPE(p, yt.Tensor, rstdt, xt.Tensor, wt, cost, sint, eps, interleaved)
						kernels.NormRoPEBackward(p, dxt.Tensor, dwt.Tensor, dyt.Tensor, yt.Tensor, xt.Tensor, wt, rstdt, cost, sint,
							interleaved, acc, acc)
					})
					y, rstd, dx, dw := make([]float64, n*c.d), make([]float64, n), make([]float64, n*c.d), make([]float64, c.d)
					x64, w64, dy64, cos64, sin64 := kerneltest.Widen(x), kerneltest.Widen(w), kerneltest.Widen(dy), kerneltest.Widen(cos),
						kerneltest.Widen(sin)
					ref.NormRoPE(y, rstd, x64, w64, cos64, sin64, c.b, c.t, c.h, c.d, eps, interleaved)
					ref.NormRoPEBackward(dx, dw, dy64, x64, w64, rstd, cos64, sin64, c.b, c.t, c.h, c.d, interleaved)
					kerneltest.Equal(t, "y", yt.values(t), y, 1e-5)
					kerneltest.Equal(t, "rstd", h.Floats(rstdt), rstd, 1e-5)
					kerneltest.Equal(t, "dx", dxt.values(t), sum(pick(acc, dx0), dx), 1e-5)
					kerneltest.Equal(t, "dw", dwt.values(t), sum(pick(acc, dw0), dw), 1e-5)
				})
			}
		}
	}
}

func TestNormRoPETwice(t *testing.T) {
	twice(t, func(h *kerneltest.Run) (func(p *engine.Program), []kernels.Tensor) {
		const b, T, heads, d = 3, 150, 2, 32
		const n = b * T * heads * d
		rnd, shape := kerneltest.NewRand(3), []int{b, T, heads, d}
		x, w, dy, table := h.Input(rnd.Normal(n), shape...), h.Input(rnd.Normal(d), d), h.Input(rnd.Normal(n), shape...),
			h.Input(rnd.Normal(T*d/2), T, d/2)
		y, rstd, dx, dw := h.Output(shape...), h.Output(b, T, heads), h.Output(shape...), h.Output(d)
		return func(p *engine.Program) {
			kernels.NormRoPE(p, y, rstd, x, w, table, table, 1e-6, false)
			kernels.NormRoPEBackward(p, dx, dw, dy, y, x, w, rstd, table, table, false, false, false)
		}, []kernels.Tensor{y, rstd, dx, dw}
	})
}

func TestNormRoPEMisuse(t *testing.T) {
	h := kerneltest.New(t)
	x, w, rstd, table := h.Output(1, 2, 3, 8), h.Output(8), h.Output(1, 2, 3), h.Output(2, 4)
	for name, f := range map[string]func(p *engine.Program){
		"w":    func(p *engine.Program) { kernels.NormRoPE(p, x, rstd, x, h.Output(7), table, table, 1e-6, false) },
		"rstd": func(p *engine.Program) { kernels.NormRoPE(p, x, h.Output(5), x, w, table, table, 1e-6, false) },
		"y":    func(p *engine.Program) { kernels.NormRoPE(p, h.Output(2, 24), rstd, x, w, table, table, 1e-6, false) },
		"table": func(p *engine.Program) {
			kernels.NormRoPE(p, x, rstd, x, w, h.Output(3, 4), h.Output(3, 4), 1e-6, false)
		},
		"D": func(p *engine.Program) {
			kernels.NormRoPE(p, h.Output(1, 2, 3, 6), rstd, h.Output(1, 2, 3, 6), h.Output(6), h.Output(2, 3), h.Output(2, 3), 1e-6, false)
		},
	} {
		t.Run(name, func(t *testing.T) { mustPanic(t, "kernels: NormRoPE: ", f) })
	}
}
