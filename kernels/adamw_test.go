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

func TestAdamW(t *testing.T) {
	for i, n := range append(flatSizes, 100_003) {
		rnd := kerneltest.NewRand(uint64(n))
		w, g, m, v := rnd.Normal(n), rnd.Normal(n), rnd.Normal(n), rnd.Uniform(n, 0, 2)
		o := kernels.AdamWOptions{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8}
		step := kernels.Step{LR: 1e-2, LossScale: 1, Bias1: 0.271, Bias2: 0.142625} // t = 3
		norm := float32(ref.Norm(kerneltest.Widen(g)))
		switch i % 4 {
		case 1: // first step: moments 0
			clear(m)
			clear(v)
			step.Bias1, step.Bias2 = 0.1, 0.05
		case 2: // clipped, scaled, decayed
			o.Clip, o.WeightDecay, step.LossScale = norm/2048, 0.1, 1024
		case 3: // a clip that is not reached
			o.Clip, o.Eps = 2*norm, 0.1
		}
		got := stable(t, limit(n), func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			wt, gt, mt, vt := h.Input(w, n), h.Input(g, n), h.Input(m, n), h.Input(v, n)
			nt, st := h.Input([]float32{norm}, 1), h.Step(step)
			return func(p *engine.Program) { kernels.AdamW(p, wt, gt, mt, vt, nt, st, o) }, []kernels.Tensor{wt, mt, vt, gt}
		})
		w64, m64, v64 := kerneltest.Widen(w), kerneltest.Widen(m), kerneltest.Widen(v)
		ref.AdamW(w64, kerneltest.Widen(g), m64, v64, float64(norm),
			ref.AdamWOptions[float64]{Beta1: float64(o.Beta1), Beta2: float64(o.Beta2),
				Eps: float64(o.Eps), WeightDecay: float64(o.WeightDecay), Clip: float64(o.Clip), LR: float64(step.LR),
				Bias1: float64(step.Bias1), Bias2: float64(step.Bias2), LossScale: float64(step.LossScale)})
		kerneltest.Equal(t, "w", got[0], w64, 1e-5)
		kerneltest.Equal(t, "m", got[1], m64, 1e-5)
		kerneltest.Equal(t, "v", got[2], v64, 1e-5)
		kerneltest.Equal(t, "g", got[3], kerneltest.Widen(g), 0)
		// The step itself, which is small beside w.
		moved, want := make([]float32, n), make([]float64, n)
		for j := range moved {
			moved[j], want[j] = got[0][j]-w[j], w64[j]-float64(w[j])
		}
		kerneltest.Equal(t, "step", moved, want, 1e-4)
	}
}

// A gradient that overflowed changes nothing, whatever else it holds.
func TestAdamWSkips(t *testing.T) {
	const n = 1000
	for _, bad := range []float32{float32(math.Inf(1)), float32(math.NaN())} {
		rnd := kerneltest.NewRand(2)
		values, gradient := [][]float32{rnd.Normal(n), rnd.Normal(n), rnd.Uniform(n, 0, 1)}, rnd.Normal(n)
		gradient[3] = bad
		h := kerneltest.New(t)
		w, m, v, g, norm := h.Input(values[0], n), h.Input(values[1], n), h.Input(values[2], n), h.Input(gradient, n),
			h.Input([]float32{bad}, 1)
		step := h.Step(kernels.Step{LR: 1, Bias1: 0.1, Bias2: 0.05, LossScale: 1})
		h.Run(func(p *engine.Program) {
			kernels.AdamW(p, w, g, m, v, norm, step, kernels.AdamWOptions{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, Clip: 1})
		})
		for i, x := range []kernels.Tensor{w, m, v} {
			kerneltest.Equal(t, "state", h.Floats(x), kerneltest.Widen(values[i]), 0)
		}
	}
}

// TestAdamWAfterSkip: where the norm of the step before is not finite, the bias corrections are those of one step less.
func TestAdamWAfterSkip(t *testing.T) {
	const n = 1000
	rnd := kerneltest.NewRand(4)
	w, m, v, g := rnd.Normal(n), rnd.Normal(n), rnd.Uniform(n, 0, 1), rnd.Normal(n)
	after := func(step kernels.Step, before ...float32) []float32 {
		h := kerneltest.New(t)
		o := kernels.AdamWOptions{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8}
		if len(before) > 0 {
			b := h.Input(before, 1)
			o.Before = &b
		}
		wt, gt, mt, vt, norm, st := h.Input(w, n), h.Input(g, n), h.Input(m, n), h.Input(v, n), h.Input([]float32{1}, 1), h.Step(step)
		h.Run(func(p *engine.Program) { kernels.AdamW(p, wt, gt, mt, vt, norm, st, o) })
		return h.Floats(wt)
	}
	third := kernels.Step{LR: 0.01, LossScale: 1, Bias1: 0.271, Bias2: 0.142625}
	second := kernels.Step{LR: 0.01, LossScale: 1, Bias1: 0.19, Bias2: 0.0975}
	either := third
	either.SkipBias1, either.SkipBias2 = second.Bias1, second.Bias2
	for _, before := range []float32{0, 1, math.MaxFloat32} {
		kerneltest.Equal(t, "w after a step", after(either, before), kerneltest.Widen(after(third)), 0)
	}
	for _, before := range []float32{float32(math.Inf(1)), float32(math.NaN()), float32(math.Inf(-1))} {
		kerneltest.Equal(t, "w after a step that was skipped", after(either, before), kerneltest.Widen(after(second)), 0)
		kerneltest.Equal(t, "w where nobody asks", after(either), kerneltest.Widen(after(third)), 0)
	}
}

// On a zero gradient with no decay the weights stay, and nothing becomes NaN.
func TestAdamWZero(t *testing.T) {
	h := kerneltest.New(t)
	const n = 100
	w, g, m, v, norm := h.Input(kerneltest.NewRand(1).Normal(n), n), h.Input(make([]float32, n), n), h.Input(make([]float32, n), n),
		h.Input(make([]float32, n), n), h.Input([]float32{0}, 1)
	before := h.Floats(w)
	step := h.Step(kernels.Step{LR: 1, Bias1: 0.1, Bias2: 0.05, LossScale: 1})
	h.Run(func(p *engine.Program) {
		kernels.AdamW(p, w, g, m, v, norm, step, kernels.AdamWOptions{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Clip: 1})
	})
	kerneltest.Equal(t, "w", h.Floats(w), kerneltest.Widen(before), 0)
	defer func() {
		if recover() == nil {
			t.Error("a NaN option is taken")
		}
	}()
	kernels.AdamW(engine.NewProgram(kerneltest.Device(t), "misuse"), w, g, m, v, norm, step,
		kernels.AdamWOptions{Clip: float32(math.NaN())})
}
