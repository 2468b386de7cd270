// SPDX-License-Identifier: MIT

package kernels_test

import (
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

func TestAdd(t *testing.T) {
	for _, n := range flatSizes {
		rnd := kerneltest.NewRand(uint64(n))
		a, b := rnd.Normal(n), rnd.Normal(n)
		got := stable(t, limit(n), func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			at, bt, y := h.Input(a, n), h.Input(b, n), h.Output(n)
			return func(p *engine.Program) {
				kernels.Add(p, y, at, bt)
				kernels.Add(p, bt, bt, at) // in place
			}, []kernels.Tensor{y, bt}
		})
		y := make([]float64, n)
		ref.Add(y, kerneltest.Widen(a), kerneltest.Widen(b))
		kerneltest.Equal(t, "y", got[0], y, 1e-6)
		kerneltest.Equal(t, "y in place", got[1], y, 1e-6)
	}
}
