// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// NormRoPE is RMSNorm of each head's floats with the weight w (D), and then RoPE: what queries and keys go through before
// attention, in one pass. x (B,T,H,D), tables (T,D/2). Saved: rstd, one a head, and y, which attention keeps anyway.
//
//	dx = rstd (w g - n mean(dy y)),  g = dy turned back, n = x rstd      dw = sum over tokens and heads of g n
func (t *Tape) NormRoPE(x, w *Var, cos, sin kernels.Tensor, eps float32, interleaved bool) *Var {
	in := t.take("normrope", x, w)
	s := x.dims("normrope", 4)
	y := t.outOfPrecision(x.Value.Precision, "normrope", in, s...)
	rstd := kernels.Temp(t.P, "rstd", s[:3]...)
	kernels.NormRoPE(t.P, y.Value, rstd, x.Value, w.Value, cos, sin, eps, interleaved)

	t.push(y, in, func() {
		dx, accX := t.into(x)
		dw, accW := t.into(w)
		kernels.NormRoPEBackward(t.P, dx, dw, y.grad, y.Value, x.Value, w.Value, rstd, cos, sin, interleaved, accX, accW)
	})
	return y
}
