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

func TestVLoss(t *testing.T) {
	for _, c := range imageSizes {
		rnd := kerneltest.NewRand(uint64(c.n))
		x, pred, tau := rnd.Normal(c.b*c.n), rnd.Normal(c.b*c.n), rnd.Uniform(c.b, 0, 1)
		tau[c.b-1] = 0.99 // clamped
		const clamp = float32(0.05)
		got := stable(t, c.limit, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			xt, predt, taut := h.Input(x, c.b, c.n), h.Input(pred, c.b, c.n), h.Input(tau, c.b)
			loss, scaled, alone, dpred, plain := h.Output(1), h.Output(1), h.Output(1), h.Output(c.b, c.n), h.Output(c.b, c.n)
			step := h.Step(kernels.Step{LossScale: 1024})
			return func(p *engine.Program) {
				kernels.VLoss(p, loss, &plain, predt, xt, taut, kernels.VLossOptions{TauClamp: clamp})
				kernels.VLoss(p, scaled, &dpred, predt, xt, taut, kernels.VLossOptions{TauClamp: clamp, Step: &step})
				kernels.VLoss(p, alone, nil, predt, xt, taut, kernels.VLossOptions{TauClamp: clamp})
			}, []kernels.Tensor{loss, scaled, alone, plain, dpred}
		})
		p64, x64, t64, dpred := kerneltest.Widen(pred), kerneltest.Widen(x), kerneltest.Widen(tau), make([]float64, c.b*c.n)
		loss := []float64{ref.VLoss(p64, x64, t64, c.n, float64(clamp))}
		for i, name := range []string{"loss", "loss beside a scaled gradient", "loss alone"} {
			kerneltest.Equal(t, name, got[i], loss, 2e-6)
		}
		ref.VLossBackward(dpred, p64, x64, t64, c.n, float64(clamp), 1)
		kerneltest.Equal(t, "dpred", got[3], dpred, 1e-5)
		ref.VLossBackward(dpred, p64, x64, t64, c.n, float64(clamp), 1024)
		kerneltest.Equal(t, "dpred, scaled", got[4], dpred, 1e-5)
	}
}

// The loss over 5.9 million terms, a batch of 30 images of 256 pixels.
func TestVLossLarge(t *testing.T) {
	const b, n = 30, 3 * 256 * 256
	rnd := kerneltest.NewRand(1)
	x, tau := rnd.Normal(b*n), rnd.Uniform(b, 0, 1)
	h := kerneltest.New(t)
	xt, pred, taut, loss := h.Input(x, b, n), h.Output(b, n), h.Input(tau, b), h.Output(1)
	h.Run(func(p *engine.Program) {
		p.Fill(pred.Range, 0)
		kernels.VLoss(p, loss, nil, pred, xt, taut, kernels.VLossOptions{TauClamp: 0.05})
	})
	want := ref.VLoss(make([]float64, b*n), kerneltest.Widen(x), kerneltest.Widen(tau), n, float64(float32(0.05)))
	kerneltest.Equal(t, "loss", h.Floats(loss), []float64{want}, 2e-6)
}
