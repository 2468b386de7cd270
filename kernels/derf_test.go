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

func TestDerf(t *testing.T) {
	for _, c := range normCases {
		for _, l := range layouts {
			for _, acc := range []bool{false, true} {
				t.Run(fmt.Sprintf("%v/%s/acc=%v", c.shape, strideOf[l], acc), func(t *testing.T) {
					h, rnd := kerneltest.New(t), kerneltest.NewRand(1)
					n, w := kernels.Tensor{Shape: c.shape}.Len()/c.width, c.width
					x, dy, dx0 := rnd.Normal(n*w), rnd.Normal(n*w), rnd.Normal(n*w)
					alpha, shift, da0, ds0 := rnd.Normal(w), rnd.Normal(w), rnd.Normal(w), rnd.Normal(w)
					xt, dyt := rows(h, x, l, w, c.shape...), rows(h, dy, l.next(1), w, c.shape...)
					yt, dxt := rows(h, nil, l.next(2), w, c.shape...), rows(h, pick(acc, dx0), l.next(3), w, c.shape...)
					dat, dst := rows(h, pick(acc, da0), packed, w, w), rows(h, pick(acc, ds0), packed, w, w)
					at, st := h.Input(alpha, w), h.Input(shift, w)
					h.Run(func(p *engine.Program) {
						kernels.Derf(p, yt.Tensor, xt.Tensor, at, st)
						kernels.DerfBackward(p, dxt.Tensor, dat.Tensor, dst.Tensor, dyt.Tensor, xt.Tensor, at, st, acc, acc)
					})
					y, dx, da, ds := make([]float64, n*w), make([]float64, n*w), make([]float64, w), make([]float64, w)
					x64, a64, s64 := kerneltest.Widen(x), kerneltest.Widen(alpha), kerneltest.Widen(shift)
					ref.Derf(y, x64, a64, s64, n, w)
					ref.DerfBackward(dx, da, ds, kerneltest.Widen(dy), x64, a64, s64, n, w)
					kerneltest.Equal(t, "y", yt.values(t), y, 1e-5)
					kerneltest.Equal(t, "dx", dxt.values(t), sum(pick(acc, dx0), dx), 1e-5)
					kerneltest.Equal(t, "dalpha", dat.values(t), sum(pick(acc, da0), da), 1e-5)
					kerneltest.Equal(t, "dshift", dst.values(t), sum(pick(acc, ds0), ds), 1e-5)
				})
			}
		}
	}
}

// TestDerfExtremes: far out, erf is one and its slope zero, never NaN.
func TestDerfExtremes(t *testing.T) {
	const n, c = 5, 8
	h, rnd := kerneltest.New(t), kerneltest.NewRand(2)
	x, dy := rnd.Normal(n*c), rnd.Normal(n*c)
	for i := range c {
		x[i], x[c+i], x[2*c+i], x[3*c+i] = 1e30, -300, 0, 1e-30
	}
	one, zero := make([]float32, c), make([]float32, c)
	for i := range one {
		one[i] = 1
	}
	xt, dyt, yt, dxt := h.Input(x, n, c), h.Input(dy, n, c), h.Output(n, c), h.Output(n, c)
	at, st, dat, dst := h.Input(one, c), h.Input(zero, c), h.Output(c), h.Output(c)
	h.Run(func(p *engine.Program) {
		kernels.Derf(p, yt, xt, at, st)
		kernels.DerfBackward(p, dxt, dat, dst, dyt, xt, at, st, false, false)
	})
	y, dx, da, ds := make([]float64, n*c), make([]float64, n*c), make([]float64, c), make([]float64, c)
	ref.Derf(y, kerneltest.Widen(x), kerneltest.Widen(one), kerneltest.Widen(zero), n, c)
	ref.DerfBackward(dx, da, ds, kerneltest.Widen(dy), kerneltest.Widen(x), kerneltest.Widen(one), kerneltest.Widen(zero), n, c)
	kerneltest.Equal(t, "y", h.Floats(yt), y, 1e-5)
	kerneltest.Equal(t, "dx", h.Floats(dxt), dx, 1e-5)
	kerneltest.Equal(t, "dalpha", h.Floats(dat), da, 1e-5)
	kerneltest.Equal(t, "dshift", h.Floats(dst), ds, 1e-5)
}

func TestDerfTwice(t *testing.T) {
	twice(t, func(h *kerneltest.Run) (func(p *engine.Program), []kernels.Tensor) {
		const n, c = 300, 64
		rnd := kerneltest.NewRand(3)
		x, dy, a, s := h.Input(rnd.Normal(n*c), n, c), h.Input(rnd.Normal(n*c), n, c), h.Input(rnd.Normal(c), c), h.Input(rnd.Normal(c), c)
		dx, da, ds := h.Output(n, c), h.Output(c), h.Output(c)
		return func(p *engine.Program) { kernels.DerfBackward(p, dx, da, ds, dy, x, a, s, false, false) }, []kernels.Tensor{dx, da, ds}
	})
}

func TestDerfMisuse(t *testing.T) {
	h := kerneltest.New(t)
	mustPanic(t, "kernels: Derf: ", func(p *engine.Program) { kernels.Derf(p, h.Output(4, 6), h.Output(4, 6), h.Output(5), h.Output(5)) })
	mustPanic(t, "kernels: Derf: ", func(p *engine.Program) { kernels.Derf(p, h.Output(4, 6), h.Output(4, 6), h.Output(6), h.Output(5)) })
}
