// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// Attention is o = softmax(q kᵀ / sqrt(D)) v for each image and head: q, k, v, o (B,T,H,D). Saved: the log-sum-exp of
// each row of scores, from which backward computes the probabilities again (Dao, arXiv 2307.08691).
func (t *Tape) Attention(q, k, v *Var) *Var {
	in := []*Var{q, k, v}
	s := q.Value.Shape
	o := t.out("attention", in, s...)
	o.own = false // backward reads it
	lse := kernels.Temp(t.P, "lse", s[0], s[2], s[1])
	kernels.Attention(t.P, o.Value, lse, q.Value, k.Value, v.Value, kernels.AttentionOptions{})

	t.push(o, in, func() {
		dq, accQ := t.into(q)
		dk, accK := t.into(k)
		dv, accV := t.into(v)
		if accQ || accK || accV {
			panic("autograd: Attention: q, k and v may have no other use")
		}
		kernels.AttentionBackward(t.P, dq, dk, dv, o.Grad, o.Value, lse, q.Value, k.Value, v.Value, kernels.AttentionOptions{})
	})
	return o
}
