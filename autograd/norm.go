// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// norm makes the output of a norm of its first input: rows are for products, heads for attention.
func (t *Tape) norm(op string, in []*Var) *Var {
	if s := in[0].Value.Shape; len(s) == 4 {
		return t.out(op, in, s...)
	}
	return t.operand(op, in, in[0].Value.Shape...)
}

// RMSNorm is y = x / sqrt(mean(x²) + eps) * w over rows of D floats: x (…,D) or heads (B,T,H,D), w (D) (Zhang and
// Sennrich, arXiv 1910.07467). Saved: rstd, one a row.
//
//	dx = rstd (g - x rstd² mean(g x)),  g = dy w      dw = sum over rows of dy x rstd
func (t *Tape) RMSNorm(x, w *Var, eps float32) *Var {
	in := t.take("rmsnorm", x, w)
	y := t.norm("rmsnorm", in)
	rstd := kernels.Temp(t.P, "rstd", x.Value.Len()/w.Value.Len())
	kernels.RMSNorm(t.P, y.Value, rstd, x.Value, w.Value, eps)

	t.push(y, in, func() {
		dx, accX := t.into(x)
		dw, accW := t.into(w)
		kernels.RMSNormBackward(t.P, dx, dw, y.grad, x.Value, w.Value, rstd, accX, accW, t.halfOf(x)...)
	})
	return y
}

// Derf is y = erf(alpha x + shift) with alpha and shift (C) per channel (arXiv 2512.10938, the blog post's variant). A
// heads tensor (B,T,H,D) has H*D channels.
//
//	dx = dy alpha e      dalpha = sum dy x e      dshift = sum dy e,      e = 2/sqrt(pi) exp(-(alpha x + shift)²)
func (t *Tape) Derf(x, alpha, shift *Var) *Var {
	in := t.take("derf", x, alpha, shift)
	y := t.norm("derf", in)
	kernels.Derf(t.P, y.Value, x.Value, alpha.Value, shift.Value)

	t.push(y, in, func() {
		dx, accX := t.into(x)
		dalpha, dshift, accW := t.pair("derf", alpha, shift)
		kernels.DerfBackward(t.P, dx, dalpha, dshift, y.grad, x.Value, alpha.Value, shift.Value, accX, accW, t.halfOf(x)...)
	})
	return y
}
