// SPDX-License-Identifier: MIT

package model

import (
	"fmt"
	"math"
	"testing"

	"jitvk/autograd"
	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

// TestLossWeight checks the integral against a plain average over drawn times.
func TestLossWeight(t *testing.T) {
	for _, loss := range []string{"x", "eps", "v"} {
		c := Defaults()
		c.Loss = loss
		rnd := kerneltest.NewRand(3)
		sum := 0.0
		const n = 1000000
		for range n {
			sum += c.imageWeight(1 / (1 + math.Exp(-(c.LogitMean() + c.Sigma*rnd.NormFloat64()))))
		}
		if got := c.LossWeight(); math.Abs(got/(sum/n)-1) > 0.01 {
			t.Errorf("loss in %s: %g, drawn times give %g", loss, got, sum/n)
		}
	}
}

// TestZeroNetwork: a network whose last layer is zero predicts zero, and its first loss is what the data, the noise and the flow
// times alone make of that, whatever is predicted and compared. Without the whole sweep three of the nine pairs, each prediction and
// each loss once: package kernels tests all.
func TestZeroNetwork(t *testing.T) {
	dev := kerneltest.Device(t)
	for i, predict := range []string{"x", "eps", "v"} {
		for j, compare := range []string{"v", "x", "eps"} {
			if i != j && !kerneltest.All() {
				continue
			}
			c := small()["rms, overlap"]
			c.ZeroOutput, c.Predict, c.Loss, c.NoiseScale = true, predict, compare, 2
			m, err := New(dev, c)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			weights, grads := flat(t, dev, m), flat(t, dev, m)
			if err := weights.Init(5); err != nil {
				t.Fatal(err)
			}
			const batch = 3
			n := 3 * c.Size * c.Size
			h, xs, s := kerneltest.New(t), kerneltest.NewRand(1).Uniform(batch*n, -1, 1),
				kernels.Step{Seed: 7, Step: 8, Image0: 9, LossScale: 1}
			x, step, loss := h.Input(xs, batch, 3, c.Size, c.Size), h.Step(s), h.Output(1)
			h.Run(func(p *engine.Program) {
				tape := autograd.New(p)
				m.Train(tape, m.Bind(tape, weights, grads), loss, x, nil, step)
			})
			noise, tau := make([]float64, batch*n), make([]float64, batch)
			random := ref.Random{Seed: s.Seed, Step: s.Step, Image0: s.Image0, Stream: kernels.StreamNoise}
			ref.Normal(noise, batch, n, random)
			random.Stream = kernels.StreamTau
			ref.LogitNormal(tau, c.LogitMean(), c.Sigma, random)
			want := ref.FlowLoss(make([]float64, batch*n), kerneltest.Widen(xs), noise, tau, n,
				ref.Path[float64]{Predict: predict, Loss: compare, Clamp: TauClamp, NoiseScale: c.NoiseScale})
			kerneltest.Equal(t, fmt.Sprintf("predicting %s, loss in %s", predict, compare), h.Floats(loss), []float64{want}, 1e-5)
		}
	}
}

// TestFlow: z lies on the straight path between image and noise of the configured scale.
func TestFlow(t *testing.T) {
	dev := kerneltest.Device(t)
	c := small()["rms, overlap"]
	c.NoiseScale = 3
	m, err := New(dev, c)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	const batch = 2
	n := 3 * c.Size * c.Size
	h, xs := kerneltest.New(t), kerneltest.NewRand(1).Uniform(batch*n, -1, 1)
	x, step, zs, taus, noises := h.Input(xs, batch, 3, c.Size, c.Size), h.Step(kernels.Step{Seed: 7}), h.Output(batch*n), h.Output(batch),
		h.Output(batch*n)
	h.Run(func(p *engine.Program) {
		z, tau, noise := m.Flow(autograd.New(p), x, step)
		p.Copy(zs.Range, z.Value.Range)
		p.Copy(taus.Range, tau.Value.Range)
		p.Copy(noises.Range, noise.Range)
	})
	want := make([]float64, batch*n)
	ref.NoiseMix(want, kerneltest.Widen(xs), kerneltest.Widen(h.Floats(noises)), kerneltest.Widen(h.Floats(taus)), n, 3)
	kerneltest.Equal(t, "z", h.Floats(zs), want, 1e-5)
}
