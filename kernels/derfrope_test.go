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

func TestDerfRoPE(t *testing.T) {
	for _, c := range qkCases {
		for _, l := range layouts {
			for flags := range 4 {
				acc, interleaved := flags&1 != 0, flags&2 != 0
				t.Run(fmt.Sprintf("%v/%s/acc=%v/interleaved=%v", c, strideOf[l], acc, interleaved), func(t *testing.T) {
					h, rnd := kerneltest.New(t), kerneltest.NewRand(1)
					width, n := c.h*c.d, c.b*c.t*c.h*c.d
					tensor := func(i int, data []float32) rowTensor { return rows(h, data, l.next(i), width, c.b, c.t, c.h, c.d) }
					x, dy, dx0, da0, ds0 := rnd.Normal(n), rnd.Normal(n), rnd.Normal(n), rnd.Normal(width), rnd.Normal(width)
					alpha, shift, cos, sin := rnd.Normal(width), rnd.Normal(width), rnd.Normal(c.t*c.d/2), rnd.Normal(c.t*c.d/2)
					cost, sint, at, st := h.Input(cos, c.t, c.d/2), h.Input(sin, c.t, c.d/2), h.Input(alpha, width), h.Input(shift, width)
					xt, yt, dyt, dxt := tensor(0, x), tensor(1, nil), tensor(2, dy), tensor(3, pick(acc, dx0))
					dat, dst := rows(h, pick(acc, da0), packed, width, width), rows(h, pick(acc, ds0), packed, width, width)
					h.Run(func(p *engine.Program) {
						kernels.DerfRoPE(p, yt.Tensor, xt.Tensor, at, st, cost, sint, interleaved)
						kernels.DerfRoPEBackward(p, dxt.Tensor, dat.Tensor, dst.Tensor, dyt.Tensor, xt.Tensor, at, st, cost, sint,
							interleaved, acc, acc)
					})
					y, dx, da, ds := make([]float64, n), make([]float64, n), make([]float64, width), make([]float64, width)
					x64, a64, s64, cos64, sin64 := kerneltest.Widen(x), kerneltest.Widen(alpha), kerneltest.Widen(shift),
						kerneltest.Widen(cos), kerneltest.Widen(sin)
					ref.DerfRoPE(y, x64, a64, s64, cos64, sin64, c.b, c.t, c.h, c.d, interleaved)
					ref.DerfRoPEBackward(dx, da, ds, kerneltest.Widen(dy), x64, a64, s64, cos64, sin64, c.b, c.t, c.h, c.d, interleaved)
					kerneltest.Equal(t, "y", yt.values(t), y, 1e-5)
					kerneltest.Equal(t, "dx", dxt.values(t), sum(pick(acc, dx0), dx), 1e-5)
					kerneltest.Equal(t, "dalpha", dat.values(t), sum(pick(acc, da0), da), 1e-5)
					kerneltest.Equal(t, "dshift", dst.values(t), sum(pick(acc, ds0), ds), 1e-5)
				})
			}
		}
	}
}

func TestDerfRoPETwice(t *testing.T) {
	twice(t, func(h *kerneltest.Run) (func(p *engine.Program), []kernels.Tensor) {
		const b, T, heads, d = 3, 150, 2, 32
		const width, n = heads * d, b * T * heads * d
		rnd, shape := kerneltest.NewRand(3), []int{b, T, heads, d}
		x, dy, table := h.Input(rnd.Normal(n), shape...), h.Input(rnd.Normal(n), shape...), h.Input(rnd.Normal(T*d/2), T, d/2)
		alpha, shift := h.Input(rnd.Normal(width), width), h.Input(rnd.Normal(width), width)
		y, dx, da, ds := h.Output(shape...), h.Output(shape...), h.Output(width), h.Output(width)
		return func(p *engine.Program) {
			kernels.DerfRoPE(p, y, x, alpha, shift, table, table, false)
			kernels.DerfRoPEBackward(p, dx, da, ds, dy, x, alpha, shift, table, table, false, false, false)
		}, []kernels.Tensor{y, dx, da, ds}
	})
}

func TestDerfRoPEMisuse(t *testing.T) {
	h := kerneltest.New(t)
	x, w, table := h.Output(1, 2, 3, 8), h.Output(24), h.Output(2, 4)
	for name, f := range map[string]func(p *engine.Program){
		"alpha": func(p *engine.Program) { kernels.DerfRoPE(p, x, x, h.Output(8), h.Output(8), table, table, false) },
		"shift": func(p *engine.Program) { kernels.DerfRoPE(p, x, x, w, h.Output(8), table, table, false) },
		"y":     func(p *engine.Program) { kernels.DerfRoPE(p, h.Output(1, 2, 2, 12), x, w, w, table, table, false) },
		"table": func(p *engine.Program) { kernels.DerfRoPE(p, x, x, w, w, h.Output(3, 4), h.Output(3, 4), false) },
	} {
		t.Run(name, func(t *testing.T) { mustPanic(t, "kernels: DerfRoPE: ", f) })
	}
}
