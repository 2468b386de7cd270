// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// SwiGLU is h = silu(a) b where ab (…,2F) holds a and b side by side; valueFirst makes it a silu(b) (Shazeer, arXiv
// 2002.05202). h is (…,F).
func (t *Tape) SwiGLU(ab *Var, valueFirst bool) *Var {
	n, width := ab.Value.Rows(1)
	shape := append(append([]int{}, ab.Value.Shape[:len(ab.Value.Shape)-1]...), width/2)
	h := t.out("swiglu", []*Var{ab}, shape...)
	o := kernels.SwiGLUOptions{ValueFirst: valueFirst}
	kernels.SwiGLU(t.P, h.Value.Reshape(n, width/2), ab.Value.Reshape(n, width), o)

	t.push(h, []*Var{ab}, func() {
		dab, acc := t.into(ab)
		if acc {
			panic("autograd: SwiGLU: its input may have no other use")
		}
		kernels.SwiGLUBackward(t.P, dab.Reshape(n, width), h.Grad.Reshape(n, width/2), ab.Value.Reshape(n, width), o)
	})
	return h
}

// SiLU is y = x / (1 + exp(-x)), any shape.
//
//	dx = dy s (1 + x (1 - s)),  s = 1 / (1 + exp(-x))
func (t *Tape) SiLU(x *Var) *Var {
	y := t.out("silu", []*Var{x}, x.Value.Shape...)
	kernels.SiLU(t.P, y.Value, x.Value)

	t.push(y, []*Var{x}, func() {
		dx, acc := t.into(x)
		kernels.SiLUBackward(t.P, dx, y.Grad, x.Value, acc)
	})
	return y
}
