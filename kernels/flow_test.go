// SPDX-License-Identifier: MIT

package kernels_test

import (
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

// imageSizes are (images, floats an image), with a limit of bytes that cuts the batch.
var imageSizes = []struct {
	b, n  int
	limit int64
}{{1, 1, 256}, {3, 12, 1024}, {65, 1023, 1 << 18}, {130, 1024, 1 << 18}, {65, 1025, 264_000}, {70001, 3, 1 << 18}, {4, 3 * 64 * 64, 0}}

func TestNoiseMix(t *testing.T) {
	for _, c := range imageSizes {
		rnd := kerneltest.NewRand(uint64(c.n))
		x, eps, tau := rnd.Normal(c.b*c.n), rnd.Normal(c.b*c.n), rnd.Uniform(c.b, 0, 1)
		tau[0] = 0
		got := stable(t, c.limit, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			z, xt, et, taut := h.Output(c.b, c.n), h.Input(x, c.b, c.n), h.Input(eps, c.b, c.n), h.Input(tau, c.b)
			return func(p *engine.Program) { kernels.NoiseMix(p, z, xt, et, taut, 1.5) }, []kernels.Tensor{z}
		})
		z := make([]float64, c.b*c.n)
		ref.NoiseMix(z, kerneltest.Widen(x), kerneltest.Widen(eps), kerneltest.Widen(tau), c.n, 1.5)
		kerneltest.Equal(t, "z", got[0], z, 1e-5)
	}
}

// kinds are all quantities that a network can predict and a loss can compare.
var kinds = []kernels.Kind{kernels.X, kernels.Eps, kernels.V}

func flowPath(o kernels.FlowLossOptions) ref.Path[float64] {
	return ref.Path[float64]{Predict: o.Predict.String(), Loss: o.Loss.String(), Clamp: float64(o.TauClamp),
		NoiseScale: float64(o.NoiseScale)}
}

func TestFlowLoss(t *testing.T) {
	for i, c := range imageSizes {
		for j, predict := range kinds {
			if i > 2 && j != i%3 && !kerneltest.All() {
				continue
			}
			// all nine within three sizes
			o := kernels.FlowLossOptions{Predict: predict, Loss: kinds[(i+j)%3], TauClamp: 0.05, NoiseScale: 1.5}
			rnd := kerneltest.NewRand(uint64(c.n))
			x, noise, pred, tau := rnd.Normal(c.b*c.n), rnd.Normal(c.b*c.n), rnd.Normal(c.b*c.n), rnd.Uniform(c.b, 0, 1)
			tau[c.b-1], tau[c.b/2] = 0.99, 0.01 // clamped
			got := stable(t, c.limit, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
				xt, nt, predt, taut := h.Input(x, c.b, c.n), h.Input(noise, c.b, c.n), h.Input(pred, c.b, c.n), h.Input(tau, c.b)
				loss, scaled, alone, dpred, plain := h.Output(1), h.Output(1), h.Output(1), h.Output(c.b, c.n), h.Output(c.b, c.n)
				step := h.Step(kernels.Step{LossScale: 1024})
				return func(p *engine.Program) {
					with := o
					with.Step = &step
					kernels.FlowLoss(p, loss, &plain, predt, &xt, &nt, taut, o)
					kernels.FlowLoss(p, scaled, &dpred, predt, &xt, &nt, taut, with)
					kernels.FlowLoss(p, alone, nil, predt, &xt, &nt, taut, o)
				}, []kernels.Tensor{loss, scaled, alone, plain, dpred}
			})
			p64, x64, n64, t64, dpred := kerneltest.Widen(pred), kerneltest.Widen(x), kerneltest.Widen(noise), kerneltest.Widen(tau),
				make([]float64, c.b*c.n)
			loss := []float64{ref.FlowLoss(p64, x64, n64, t64, c.n, flowPath(o))}
			for i, name := range []string{"loss", "loss beside a scaled gradient", "loss alone"} {
				kerneltest.Equal(t, name, got[i], loss, 2e-6)
			}
			ref.FlowLossBackward(dpred, p64, x64, n64, t64, c.n, 1, flowPath(o))
			kerneltest.Equal(t, "dpred", got[3], dpred, 1e-5)
			ref.FlowLossBackward(dpred, p64, x64, n64, t64, c.n, 1024, flowPath(o))
			kerneltest.Equal(t, "dpred, scaled", got[4], dpred, 1e-5)
		}
	}
}

// A network that says exactly what it should has no loss and no gradient, whatever is predicted and compared.
func TestFlowLossOfTruth(t *testing.T) {
	const b, n = 3, 100
	rnd := kerneltest.NewRand(1)
	x, noise, v := rnd.Normal(b*n), rnd.Normal(b*n), make([]float32, b*n)
	for i := range v {
		v[i] = x[i] - noise[i]
	}
	for i, truth := range [][]float32{x, noise, v} {
		for _, loss := range kinds {
			h := kerneltest.New(t)
			xt, nt, pred, tau, sum, dpred := h.Input(x, b, n), h.Input(noise, b, n), h.Input(truth, b, n), h.Input([]float32{0, 0.5, 1}, b),
				h.Output(1), h.Output(b, n)
			h.Run(func(p *engine.Program) {
				kernels.FlowLoss(p, sum, &dpred, pred, &xt, &nt, tau,
					kernels.FlowLossOptions{Predict: kinds[i], Loss: loss, TauClamp: 0.05, NoiseScale: 1})
			})
			kerneltest.Equal(t, "loss", h.Floats(sum), []float64{0}, 0)
			kerneltest.Equal(t, "dpred", h.Floats(dpred), make([]float64, b*n), 0)
		}
	}
}

func TestFlowLossMisuse(t *testing.T) {
	h := kerneltest.New(t)
	x, tau, loss := h.Output(2, 3), h.Output(2), h.Output(1)
	for _, o := range []kernels.FlowLossOptions{
		{Predict: kernels.X, TauClamp: 0}, {Predict: 3, TauClamp: 1}, {Loss: 3, TauClamp: 1}, {Predict: kernels.Eps, TauClamp: 1},
		{Predict: kernels.V, TauClamp: 1},
	} {
		mustPanic(t, "kernels: FlowLoss: ", func(p *engine.Program) { kernels.FlowLoss(p, loss, nil, x, &x, nil, tau, o) })
	}
	mustPanic(t, "kernels: FlowLoss: ", func(p *engine.Program) {
		kernels.FlowLoss(p, loss, nil, x, nil, &x, tau, kernels.FlowLossOptions{TauClamp: 1})
	})
}

func TestParseKind(t *testing.T) {
	for _, k := range kinds {
		if got, err := kernels.ParseKind(k.String()); got != k || err != nil {
			t.Errorf("%v becomes %v, %v", k, got, err)
		}
	}
	if _, err := kernels.ParseKind("y"); err == nil {
		t.Error("y is a kind")
	}
}

// The loss over 5.9 million terms, a batch of 30 images of 256 pixels.
func TestFlowLossLarge(t *testing.T) {
	const b, n = 30, 3 * 256 * 256
	rnd := kerneltest.NewRand(1)
	x, tau := rnd.Normal(b*n), rnd.Uniform(b, 0, 1)
	o := kernels.FlowLossOptions{Predict: kernels.X, Loss: kernels.V, TauClamp: 0.05}
	h := kerneltest.New(t)
	xt, pred, taut, loss := h.Input(x, b, n), h.Output(b, n), h.Input(tau, b), h.Output(1)
	h.Run(func(p *engine.Program) {
		p.Fill(pred.Range, 0)
		kernels.FlowLoss(p, loss, nil, pred, &xt, nil, taut, o)
	})
	zeros := make([]float64, b*n)
	want := ref.FlowLoss(zeros, kerneltest.Widen(x), zeros, kerneltest.Widen(tau), n, flowPath(o))
	kerneltest.Equal(t, "loss", h.Floats(loss), []float64{want}, 2e-6)
}
