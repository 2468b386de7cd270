// SPDX-License-Identifier: MIT

package kernels_test

import (
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

func TestSiLU(t *testing.T) {
	for _, n := range flatSizes {
		rnd := kerneltest.NewRand(uint64(n))
		x, dy, before := rnd.Normal(n), rnd.Normal(n), rnd.Normal(n)
		x[0] = -100
		x[n/2] = 50
		got := stable(t, limit(n), func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			xt, dyt, y, dx, sum := h.Input(x, n), h.Input(dy, n), h.Output(n), h.Output(n), h.Input(before, n)
			return func(p *engine.Program) {
				kernels.SiLU(p, y, xt)
				kernels.SiLUBackward(p, dx, dyt, xt, false)
				kernels.SiLUBackward(p, sum, dyt, xt, true)
			}, []kernels.Tensor{y, dx, sum}
		})
		y, dx, sum := make([]float64, n), make([]float64, n), make([]float64, n)
		ref.SiLU(y, kerneltest.Widen(x))
		ref.SiLUBackward(dx, kerneltest.Widen(dy), kerneltest.Widen(x))
		ref.Add(sum, dx, kerneltest.Widen(before))
		kerneltest.Equal(t, "y", got[0], y, 1e-5)
		kerneltest.Equal(t, "dx", got[1], dx, 1e-5)
		kerneltest.Equal(t, "dx, added", got[2], sum, 1e-5)
	}
}
