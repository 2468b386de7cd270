// SPDX-License-Identifier: MIT

package kernels_test

import (
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

func TestEMA(t *testing.T) {
	for _, n := range flatSizes {
		rnd := kerneltest.NewRand(uint64(n))
		ema, w := rnd.Normal(n), rnd.Normal(n)
		const d = float32(0.9996)
		got := stable(t, limit(n), func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			e, wt, same, step := h.Input(ema, n), h.Input(w, n), h.Input(w, n), h.Step(kernels.Step{EMADecay: [2]float32{d, 0.5}})
			return func(p *engine.Program) {
				kernels.EMA(p, e, wt, step, 0)
				kernels.EMA(p, same, wt, step, 1)
			}, []kernels.Tensor{e, same}
		})
		want := kerneltest.Widen(ema)
		ref.EMA(want, kerneltest.Widen(w), float64(d))
		kerneltest.Equal(t, "ema", got[0], want, 1e-6)
		kerneltest.Equal(t, "ema of equal weights", got[1], kerneltest.Widen(w), 0)
	}
}
