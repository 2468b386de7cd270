// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// Gate is y[b,t] = r[b,t] + g[b] x[b,t]: r and x (B,T,C), the gate g (B,C), which may be one of Parts (adaLN-Zero: Peebles and
// Xie, arXiv 2212.09748).
//
//	dx = g dy      dg = sum over tokens of dy x      dr = dy
func (t *Tape) Gate(r, x, g *Var) *Var {
	in := t.take("gate", r, x, g)
	y := t.out("gate", in, x.Value.Shape...)
	kernels.Gate(t.P, y.Value, r.Value, x.Value, g.Value)

	t.push(y, in, func() {
		dx, accX := t.into(x)
		dg, accG := t.into(g)
		kernels.GateBackward(t.P, dx, dg, y.grad, x.Value, g.Value, accX, accG)
		t.give(r, y)
	})
	return y
}
