// SPDX-License-Identifier: MIT

package ref

import "math"

// AdamWOptions are the optimizer's constants and what the step buffer holds of it.
type AdamWOptions[F float32 | float64] struct {
	Beta1, Beta2, Eps, WeightDecay F
	Clip                           F // largest norm of the gradient; 0: off
	LR, Bias1, Bias2, LossScale    F // Bias1 = 1 - Beta1^t, Bias2 = 1 - Beta2^t
	Before, SkipBias1, SkipBias2   F // norm of the step before; where it is not finite, these are Bias1 and Bias2
}

// AdamW is one step over flat slices (arXiv 1711.05101, as PyTorch orders it). norm is that of all gradients, loss scale
// included; where it is not finite nothing changes.
func AdamW[F float32 | float64](w, g, m, v []F, norm F, o AdamWOptions[F]) {
	if norm-norm != 0 {
		return
	}
	if o.Before-o.Before != 0 {
		o.Bias1, o.Bias2 = o.SkipBias1, o.SkipBias2
	}
	scale := 1 / o.LossScale
	if o.Clip > 0 {
		scale *= min(1, o.Clip/(norm/o.LossScale+1e-6))
	}
	for i := range w {
		d := g[i] * scale
		m[i] = o.Beta1*m[i] + (1-o.Beta1)*d
		v[i] = o.Beta2*v[i] + (1-o.Beta2)*d*d
		w[i] -= o.LR * o.WeightDecay * w[i]
		w[i] -= o.LR * (m[i] / o.Bias1) / (F(math.Sqrt(float64(v[i]/o.Bias2))) + o.Eps)
	}
}
