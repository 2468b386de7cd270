// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// NormModulate is y = n w (1 + scale) + shift with n = x / sqrt(mean(x²) + eps) over rows of C floats: RMSNorm and then
// adaLN's modulation (Peebles and Xie, arXiv 2212.09748). x (B,T,C), w (C); scale, shift (B,C), one row an image, both
// used together. Saved: rstd, one a row.
//
//	dx = rstd (g - n mean(g n)),  g = dy w (1 + scale)      dw = sum over images and tokens of dy n (1 + scale)
//	dscale = sum over tokens of dy n w                      dshift = sum over tokens of dy
func (t *Tape) NormModulate(x, w, scale, shift *Var, eps float32) *Var {
	in := t.take("normmodulate", x, w, scale, shift)
	y := t.operand("normmodulate", in, x.Value.Shape...)
	rstd := kernels.Temp(t.P, "rstd", x.Value.Len()/w.Value.Len())
	kernels.NormModulate(t.P, y.Value, rstd, x.Value, w.Value, scale.Value, shift.Value, eps)

	t.push(y, in, func() {
		dx, accX := t.into(x)
		dw, accW := t.into(w)
		dscale, dshift, accScale := t.pair("normmodulate", scale, shift)
		kernels.NormModulateBackward(t.P, dx, dw, dscale, dshift, y.grad, x.Value, w.Value, scale.Value, rstd, accX, accW, accScale)
	})
	return y
}
