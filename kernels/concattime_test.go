// SPDX-License-Identifier: MIT

package kernels_test

import (
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

func TestConcatTime(t *testing.T) {
	for _, c := range []struct {
		b, t, c, e int
		limit      int64
	}{
		{1, 1, 1, 1, 1024}, {3, 5, 7, 9, 1 << 15}, {2, 441, 768, 64, 1 << 21}, {70, 3, 16, 16, 32768}, {35000, 2, 1, 2, 1 << 19},
		{2, 3, 1023, 2, 1 << 19},
	} {
		rnd := kerneltest.NewRand(uint64(c.b))
		n := c.b * c.t
		x, e, dy, before, beforeE := rnd.Normal(n*c.c), rnd.Normal(c.b*c.e), rnd.Normal(n*(c.c+c.e)), rnd.Normal(n*c.c), rnd.Normal(c.b*c.e)
		got := stable(t, c.limit, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			xt, et, dyt := h.Input(x, c.b, c.t, c.c), h.Input(e, c.b, c.e), h.Input(dy, c.b, c.t, c.c+c.e)
			y, dx, de := h.Output(c.b, c.t, c.c+c.e), h.Output(c.b, c.t, c.c), h.Output(c.b, c.e)
			sumX, sumE, only := h.Input(before, c.b, c.t, c.c), h.Input(beforeE, c.b, c.e), h.Output(c.b, c.e)
			return func(p *engine.Program) {
				kernels.ConcatTime(p, y, xt, et)
				kernels.ConcatTimeBackward(p, &dx, de, dyt, false, false)
				kernels.ConcatTimeBackward(p, &sumX, sumE, dyt, true, true)
				kernels.ConcatTimeBackward(p, nil, only, dyt, false, false)
			}, []kernels.Tensor{y, dx, de, sumX, sumE, only}
		})
		y, dx, de := make([]float64, len(dy)), make([]float64, len(x)), make([]float64, len(e))
		ref.ConcatTime(y, kerneltest.Widen(x), kerneltest.Widen(e), c.b, c.t, c.c, c.e)
		ref.ConcatTimeBackward(dx, de, kerneltest.Widen(dy), c.b, c.t, c.c, c.e)
		kerneltest.Equal(t, "y", got[0], y, 0)
		kerneltest.Equal(t, "dx", got[1], dx, 0)
		kerneltest.Equal(t, "de", got[2], de, 1e-5)
		kerneltest.Equal(t, "de alone", got[5], de, 1e-5)
		ref.Add(dx, dx, kerneltest.Widen(before))
		ref.Add(de, de, kerneltest.Widen(beforeE))
		kerneltest.Equal(t, "dx, added", got[3], dx, 1e-5)
		kerneltest.Equal(t, "de, added", got[4], de, 1e-5)
	}
}
