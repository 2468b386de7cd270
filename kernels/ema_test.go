// SPDX-License-Identifier: MIT

package kernels_test

import (
	"math"
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

// After k steps towards weights that stand still, ema = d^k ema + (1 - d^k) w.
func TestEMAClosedForm(t *testing.T) {
	const n, k, d = 1000, 200, float32(0.99)
	rnd := kerneltest.NewRand(1)
	start, w := rnd.Normal(n), rnd.Normal(n)
	h := kerneltest.New(t)
	ema, wt, step := h.Input(start, n), h.Input(w, n), h.Step(kernels.Step{EMADecay: [2]float32{0, d}})
	h.Run(func(p *engine.Program) {
		for range k {
			kernels.EMA(p, ema, wt, step, 1)
		}
	})
	want, left := make([]float64, n), math.Pow(float64(d), k)
	for i := range want {
		want[i] = left*float64(start[i]) + (1-left)*float64(w[i])
	}
	kerneltest.Equal(t, "ema", h.Floats(ema), want, 1e-5)
}
