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
// labels (B), nil for none, are dropped at random as Config.LabelDrop says, so that the model learns to do without.
func (m *Model) Train(t *autograd.Tape, w Weights, loss, x kernels.Tensor, labels *kernels.Tensor, step kernels.Tensor) {
	z, tau, noise := m.Flow(t, x, step)
	if labels != nil && m.LabelDrop > 0 {
		kept := kernels.Temp(t.P, "labels kept", labels.Len())
		kernels.DropLabels(t.P, kept, *labels, step, uint32(m.Classes), float32(m.LabelDrop), kernels.StreamLabels)
		labels = &kept
	}
	pred := m.forward(t, w, z, tau, labels, &step)
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

// LossWeight turns an error of images into a loss. A model that always predicts the same image errs by the same mean square E at
// every flow time. The loss multiplies the error at time tau by a weight (imageWeight), and training draws tau = sigmoid(n) with
// n ~ N(mu, sigma²); so the loss of that model is E times the mean weight, which is what LossWeight returns. For example, E of the mean
// picture times LossWeight is the loss that a run's model has to get below.
//
// The mean is an integral over the normal distribution, by the trapezoid rule from -6 to 6 standard deviations; what lies beyond
// has no weight that counts.
func (c Config) LossWeight() float64 {
	const steps = 20000
	sum, total := 0.0, 0.0
	for i := range steps + 1 {
		u := -6 + 12*float64(i)/steps // standard deviations from mu
		density := math.Exp(-u * u / 2)
		sum += density * c.imageWeight(1/(1+math.Exp(-(c.LogitMean()+c.Sigma*u))))
		total += density
	}
	return sum / total
}

// imageWeight is the weight at one flow time: the first row of the table at kernels.FlowLoss, squared.
func (c Config) imageWeight(tau float64) float64 {
	d := math.Max(1-tau, TauClamp)
	switch c.Loss {
	case "v":
		return 1 / (d * d)
	case "eps":
		return tau * tau / (d * d)
	}
	return 1
}
