// SPDX-License-Identifier: MIT

package ref

// NoiseMix is z = tau x + (1 - tau) noiseScale eps, one tau an image. z, x, eps (B,n), tau (B).
func NoiseMix[F float32 | float64](z, x, eps, tau []F, n int, noiseScale F) {
	for i := range z {
		t := tau[i/n]
		z[i] = t*x[i] + (1-t)*noiseScale*eps[i]
	}
}

// A Path is what the kinds of FlowLoss are computed with: "x", "eps" (e = NoiseScale noise) and "v" = x - e.
type Path[F float32 | float64] struct {
	Predict, Loss     string // what the network predicts, and where the error is taken
	Clamp, NoiseScale F      // Clamp: a denominator is at least this
}

// target is what the network should predict.
func (p Path[F]) target(x, noise F) F {
	return map[string]F{"x": x, "eps": p.NoiseScale * noise, "v": x - p.NoiseScale*noise}[p.Predict]
}

// convert turns a prediction u at (z, tau) into the kind of the loss: Table 1 of JiT, arXiv 2511.13720.
func (p Path[F]) convert(u, z, tau F) F {
	fromX, fromE := max(1-tau, p.Clamp), max(tau, p.Clamp)
	switch p.Predict + " " + p.Loss {
	case "x eps":
		return (z - tau*u) / fromX
	case "x v":
		return (u - z) / fromX
	case "eps x":
		return (z - (1-tau)*u) / fromE
	case "eps v":
		return (z - u) / fromE
	case "v x":
		return z + (1-tau)*u
	case "v eps":
		return z - tau*u
	}
	return u
}

// FlowLoss is the mean squared difference of prediction and target, both turned into p.Loss at z = tau x + (1 - tau) e. pred, x,
// noise (B,n), tau (B).
func FlowLoss[F float32 | float64](pred, x, noise, tau []F, n int, p Path[F]) F {
	var sum F
	for i := range pred {
		t := tau[i/n]
		z := t*x[i] + (1-t)*p.NoiseScale*noise[i]
		d := p.convert(pred[i], z, t) - p.convert(p.target(x[i], noise[i]), z, t)
		sum += d * d
	}
	return sum / F(len(pred))
}

// FlowLossBackward is FlowLoss's gradient with respect to pred, times scale.
func FlowLossBackward[F float32 | float64](dpred, pred, x, noise, tau []F, n int, scale F, p Path[F]) {
	for i := range pred {
		a := p.convert(1, 0, tau[i/n]) - p.convert(0, 0, tau[i/n]) // the slope: convert is affine in u
		dpred[i] = scale * 2 * a * a * (pred[i] - p.target(x[i], noise[i])) / F(len(pred))
	}
}
