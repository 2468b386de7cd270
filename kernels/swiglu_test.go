// SPDX-License-Identifier: MIT

package kernels_test

import (
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

func TestSwiGLU(t *testing.T) {
	for _, c := range []struct {
		n, f       int
		valueFirst bool
		limit      int64
	}{
		{1, 1, false, 1024}, {3, 7, true, 1024}, {65, 344, false, 1 << 17}, {8, 1023, true, 1 << 20}, {5, 1024, true, 16384},
		{5, 1025, false, 1 << 20},
		{70001, 3, false, 1 << 19}, // more workgroups than one dimension takes
	} {
		rnd := kerneltest.NewRand(uint64(c.n))
		ab, dh := rnd.Normal(c.n*2*c.f), rnd.Normal(c.n*c.f)
		o := kernels.SwiGLUOptions{ValueFirst: c.valueFirst}
		got := stable(t, c.limit, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			abt, dht, y, dab := h.Input(ab, c.n, 2*c.f), h.Input(dh, c.n, c.f), h.Output(c.n, c.f), h.Output(c.n, 2*c.f)
			return func(p *engine.Program) {
				kernels.SwiGLU(p, y, abt, o)
				kernels.SwiGLUBackward(p, dab, dht, abt, o)
			}, []kernels.Tensor{y, dab}
		})
		y, dab := make([]float64, len(dh)), make([]float64, len(ab))
		ref.SwiGLU(y, kerneltest.Widen(ab), c.n, c.f, c.valueFirst)
		ref.SwiGLUBackward(dab, kerneltest.Widen(dh), kerneltest.Widen(ab), c.n, c.f, c.valueFirst)
		kerneltest.Equal(t, "h", got[0], y, 1e-5)
		kerneltest.Equal(t, "dab", got[1], dab, 1e-5)
	}
}
