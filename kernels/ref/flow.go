// SPDX-License-Identifier: MIT

package ref

// NoiseMix is z = tau x + (1 - tau) noiseScale eps, one tau an image. z, x, eps (B,n), tau (B).
func NoiseMix[F float32 | float64](z, x, eps, tau []F, n int, noiseScale F) {
	for i := range z {
		t := tau[i/n]
		z[i] = t*x[i] + (1-t)*noiseScale*eps[i]
	}
}

// VLoss is the mean of (x - pred)²/max(1 - tau, clamp)²: the squared error of the velocity (x - z)/(1 - tau) (JiT,
// arXiv 2511.13720). pred, x (B,n), tau (B).
func VLoss[F float32 | float64](pred, x, tau []F, n int, clamp F) F {
	var sum F
	for i := range pred {
		d := (x[i] - pred[i]) / max(1-tau[i/n], clamp)
		sum += d * d
	}
	return sum / F(len(pred))
}

// VLossBackward is VLoss's gradient with respect to pred, times scale.
func VLossBackward[F float32 | float64](dpred, pred, x, tau []F, n int, clamp, scale F) {
	for i := range pred {
		s := max(1-tau[i/n], clamp)
		dpred[i] = scale * 2 * (pred[i] - x[i]) / (s * s) / F(len(pred))
	}
}
