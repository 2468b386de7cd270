// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// Attention is o = softmax(q kᵀ / sqrt(D)) v for each image and head: q, k, v, o (B,T,H,D). Saved: the log-sum-exp of
// each row of scores, from which backward computes the probabilities again (Dao, arXiv 2307.08691). o lies in halves where q does: for
// products.
func (t *Tape) Attention(q, k, v *Var) *Var {
	in := t.take("attention", q, k, v)
	s := q.dims("attention", 4)
	o := t.outOfPrecision(q.Value.Precision, "attention", in, s...)
	lse := kernels.Temp(t.P, "lse", s[0], s[2], s[1])
	options := kernels.AttentionOptions{Precision: t.Precision}
	kernels.Attention(t.P, o.Value, lse, q.Value, k.Value, v.Value, options)

	t.push(o, in, func() {
		dq, dk, dv := t.only("attention", q), t.only("attention", k), t.only("attention", v)
		kernels.AttentionBackward(t.P, dq, dk, dv, o.grad, o.Value, lse, q.Value, k.Value, v.Value, options)
	})
	return o
}
