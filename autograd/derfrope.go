// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// DerfRoPE is Derf with alpha and shift (H*D), and then RoPE, in one pass: NormRoPE for a model whose norms are Derf.
// x (B,T,H,D), tables (T,D/2).
//
//	dx = alpha g e,  g = dy turned back      dalpha = sum g x e      dshift = sum g e,      e = 2/sqrt(pi) exp(-(alpha x + shift)²)
func (t *Tape) DerfRoPE(x, alpha, shift *Var, cos, sin kernels.Tensor, interleaved bool) *Var {
	in := t.take("derfrope", x, alpha, shift)
	y := t.outOfPrecision(x.Value.Precision, "derfrope", in, x.Value.Shape...)
	kernels.DerfRoPE(t.P, y.Value, x.Value, alpha.Value, shift.Value, cos, sin, interleaved)

	t.push(y, in, func() {
		dx, accX := t.into(x)
		dalpha, dshift, accW := t.pair("derfrope", alpha, shift)
		kernels.DerfRoPEBackward(t.P, dx, dalpha, dshift, y.grad, x.Value, alpha.Value, shift.Value, cos, sin, interleaved, accX, accW)
	})
	return y
}
