// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// RoPE rotates pairs of each head's channels by angles that depend on the token's place (Su et al., arXiv 2104.09864, in
// two dimensions): x (B,T,H,D), tables (T,D/2). It works in place: x's value must not be used by a later op.
//
//	dx = the rotation by the negative angle, of dy
func (t *Tape) RoPE(x *Var, cos, sin kernels.Tensor, interleaved bool) *Var {
	y := &Var{Value: x.Value, needs: x.needs, name: "rope"}
	kernels.RoPE(t.P, y.Value, x.Value, cos, sin, kernels.RoPEOptions{Interleaved: interleaved})

	t.push(y, []*Var{x}, func() {
		kernels.RoPE(t.P, y.Grad, y.Grad, cos, sin, kernels.RoPEOptions{Interleaved: interleaved, Inverse: true})
		t.give(x, y.Grad)
	})
	return y
}
