// SPDX-License-Identifier: MIT

package model

import (
	"errors"
	"math"

	"jitvk/autograd"
	"jitvk/kernels"
)

// Flow is one flow-matching example for each image of a batch: z = tau x + (1 - tau) e, with tau = sigmoid(n), n ~ N(mu, sigma²),
// and e = NoiseScale noise, noise ~ N(0, 1) (JiT, section 4.1). x (B,3,ImgH,ImgW) is data; step is the step buffer.
func (m *Model) Flow(t *autograd.Tape, x, step kernels.Tensor) (z, tau *autograd.Var, noise kernels.Tensor) {
	p := t.P
	noise = kernels.Temp(p, "noise", x.Shape...)
	kernels.Normal(p, noise, step, 1, kernels.StreamNoise)
	times := kernels.Temp(p, "tau", x.Shape[0])
	kernels.LogitNormal(p, times, step, float32(m.LogitMean()), float32(m.Sigma), kernels.StreamTau)
	mix := kernels.Temp(p, "z", x.Shape...)
	kernels.NoiseMix(p, mix, x, noise, times, float32(m.NoiseScale))
	return t.Const(mix), t.Const(times), noise
}

// Train records the forward and backward pass of the loss on a batch x: afterwards the gradients lie where w was bound.
func (m *Model) Train(t *autograd.Tape, w Weights, loss, x, step kernels.Tensor) {
	z, tau, noise := m.Flow(t, x, step)
	pred := m.Forward(t, w, z, tau, nil)
	o := m.lossOptions()
	o.Step = &step
	t.FlowLoss(loss, pred, &x, &noise, tau.Value, o)
	t.Backward()
}

// lossOptions is the configuration's loss. Predict and Loss are valid names.
func (c Config) lossOptions() kernels.FlowLossOptions {
	predict, err := kernels.ParseKind(c.Predict)
	loss, err2 := kernels.ParseKind(c.Loss)
	if err := errors.Join(err, err2); err != nil {
		panic("model: " + err.Error())
	}
	return kernels.FlowLossOptions{Predict: predict, Loss: loss, TauClamp: TauClamp, NoiseScale: float32(c.NoiseScale)}
}

// VelocityWeight returns the mean over tau of 1/max(1 - tau, TauClamp)²: what the mean squared error of a prediction that
// does not depend on tau is multiplied by to give its v-loss. Trapezoids over six standard deviations of logit(tau).
func (c Config) VelocityWeight() float64 {
	const n = 20000
	sum, total := 0.0, 0.0
	for i := range n + 1 {
		u := -6 + 12*float64(i)/n
		p := math.Exp(-u * u / 2)
		tau := 1 / (1 + math.Exp(-(c.LogitMean() + c.Sigma*u)))
		d := math.Max(1-tau, TauClamp)
		sum += p / (d * d)
		total += p
	}
	return sum / total
}
