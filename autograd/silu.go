// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// SiLU is y = x / (1 + exp(-x)), any shape.
//
//	dx = dy s (1 + x (1 - s)),  s = 1 / (1 + exp(-x))
func (t *Tape) SiLU(x *Var) *Var {
	in := t.take("silu", x)
	y := t.out("silu", in, x.Value.Shape...)
	kernels.SiLU(t.P, y.Value, x.Value)

	t.push(y, in, func() {
		dx, acc := t.into(x)
		kernels.SiLUBackward(t.P, dx, y.grad, x.Value, acc)
	})
	return y
}
