// SPDX-License-Identifier: MIT

package autograd

import (
	"fmt"

	"jitvk/kernels"
)

// RoPE rotates pairs of each head's channels by angles that depend on the token's place (Su et al., arXiv 2104.09864, in
// two dimensions): x (B,T,H,D), tables (T,D/2). It works in place: x is an op's output that has no other use.
//
//	dx = the rotation by the negative angle, of dy
func (t *Tape) RoPE(x *Var, cos, sin kernels.Tensor, interleaved bool) *Var {
	if !x.own || x.used {
		panic(fmt.Sprintf("autograd: RoPE turns in place: %s%v must be the output of an op whose backward does not need it, and have no other use", x.name, x.Value))
	}
	y := &Var{Value: x.Value, needs: x.needs, name: "rope", own: true}
	kernels.RoPE(t.P, y.Value, x.Value, cos, sin, kernels.RoPEOptions{Interleaved: interleaved})

	t.push(y, []*Var{x}, func() {
		kernels.RoPE(t.P, y.Grad, y.Grad, cos, sin, kernels.RoPEOptions{Interleaved: interleaved, Inverse: true})
		t.give(x, y.Grad)
	})
	x.gone = "turned in place by RoPE"
	return y
}
