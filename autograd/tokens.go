// SPDX-License-Identifier: MIT

package autograd

import (
	"fmt"

	"jitvk/kernels"
)

// PrependTokens is y[b] = [e[b] + pos[k] for k < K; x[b]]: K tokens that carry an image's embedding before its own (JiT's
// in-context class tokens, arXiv 2511.13720). x (B,T,C), e (B,C), pos (K,C), y (B,K+T,C).
//
//	dx = dy[:,K:]      de = sum over k of dy[:,k]      dpos = sum over b of dy[b,:K]
func (t *Tape) PrependTokens(x, e, pos *Var) *Var {
	in, s := t.take("prepend tokens", x, e, pos), x.dims("prepend tokens", 3)
	y := t.out("prepend tokens", in, s[0], pos.dims("prepend tokens", 2)[0]+s[1], s[2])
	kernels.PrependTokens(t.P, y.Value, x.Value, e.Value, pos.Value)

	t.push(y, in, func() {
		dx, accX := t.into(x)
		de, accE := t.into(e)
		dpos, accPos := t.into(pos)
		kernels.PrependTokensBackward(t.P, dx, de, dpos, y.grad, accX, accE, accPos)
	})
	return y
}

// DropTokens is y = x[:,k:], x (B,T,C) without its first k tokens.
//
//	dx = [0; dy]
func (t *Tape) DropTokens(x *Var, k int) *Var {
	in, s := t.take("drop tokens", x), x.dims("drop tokens", 3)
	if k < 0 || k >= s[1] {
		panic(fmt.Sprintf("autograd: drop tokens: %d of the tokens of %v", k, x))
	}
	y := t.out("drop tokens", in, s[0], s[1]-k, s[2])
	kernels.DropTokens(t.P, y.Value, x.Value)

	t.push(y, in, func() {
		dx, acc := t.into(x)
		kernels.DropTokensBackward(t.P, dx, y.grad, acc)
	})
	return y
}

// AddRows is y[b] = x[b] + table, fixed positions (T,C) added to tokens x (B,T,C). The table is not learned.
//
//	dx = dy
func (t *Tape) AddRows(x *Var, table kernels.Tensor) *Var {
	in := t.take("add rows", x)
	y := t.out("add rows", in, x.Value.Shape...)
	kernels.AddRows(t.P, y.Value, x.Value, table)
	t.push(y, in, func() { t.give(x, y) })
	return y
}

// Dropout zeros a share prob of x (B,…) at random and divides the rest by 1 - prob. Each dropout of a model has a site of its own,
// 0, 1, …; what is dropped depends on the step buffer's seed and step, on the site and on the image.
//
//	dx = the same dropout of dy: nothing is saved
func (t *Tape) Dropout(x *Var, step kernels.Tensor, prob float32, site int) *Var {
	stream := uint32(kernels.StreamDropout + site)
	in := t.take("dropout", x)
	y := t.out("dropout", in, x.Value.Shape...)
	kernels.Dropout(t.P, y.Value, x.Value, step, prob, stream, false)

	t.push(y, in, func() {
		dx, acc := t.into(x)
		kernels.Dropout(t.P, dx, y.grad, step, prob, stream, acc)
	})
	return y
}
