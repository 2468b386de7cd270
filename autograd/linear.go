// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// Linear is y = x Wᵀ + b + r: x (…,K), weight W (M,K), bias b (M) or nil, residual r like y or nil; y (…,M).
//
//	dx = dy W      dW = dyᵀ x      db = sum of dy over rows      dr = dy
func (t *Tape) Linear(x, w, b, r *Var) *Var { return t.linear(kernels.FP32, x, w, b, r) }

// LinearHeads is Heads of Linear: n heads tensors (B,T,H,D), queries, keys and values of one projection w (nHD,K) of x (B,T,K). In half
// precision they lie in halves, and so do their gradients, where D is a multiple of 16: that is for NormRoPE, DerfRoPE and Attention.
func (t *Tape) LinearHeads(x, w, b *Var, n, h int) []*Var {
	precision := kernels.FP32
	if n > 0 && h > 0 && w != nil && w.Value.Shape[0]%(n*h*16) == 0 {
		precision = t.Precision
	}
	return t.Heads(t.linear(precision, x, w, b, nil), n, h)
}

// linear is Linear with y in a precision.
func (t *Tape) linear(precision kernels.Precision, x, w, b, r *Var) *Var {
	in := append(t.take("linear", x, w), t.maybe("linear", b, r)...)
	o := kernels.MatMulOptions{TransB: true, Precision: t.Precision}
	if b != nil {
		o.Bias = &b.Value
	}
	rows, k := x.Value.Rows(1)
	m := w.dims("linear", 2)[0]
	shape := append(append([]int{}, x.Value.Shape[:len(x.Value.Shape)-1]...), m)
	if r != nil {
		flat := r.Value.Reshape(rows, m)
		o.Residual = &flat
	}
	y := t.outOfPrecision(precision, "linear", in, shape...)
	xs := x.Value.Reshape(rows, k)
	kernels.MatMul(t.P, y.Value.Reshape(rows, m), xs, t.weight(w), o)

	y.reread = true
	t.push(y, in, func() {
		dy := y.forProducts(rows, m)
		t.weightGrads(w, b, dy, xs)
		t.inputGrad(x, w, dy)
		if r != nil {
			t.give(r, y)
		}
	})
	return y
}

// inputGrad records dx = dy W, where x wants it.
func (t *Tape) inputGrad(x, w *Var, dy kernels.Tensor) {
	if x.needs {
		dx, acc := t.into(x)
		rows, k := dx.Rows(1)
		kernels.MatMul(t.P, dx.Reshape(rows, k), dy, t.weight(w), kernels.MatMulOptions{Accumulate: acc, Precision: t.Precision})
	}
}

// weightGrads records dW = dyᵀ x and, where there is a bias, db = sum of dy over rows, in one pass over dy.
func (t *Tape) weightGrads(w, b *Var, dy, x kernels.Tensor) {
	bias := b != nil && b.needs
	switch {
	case w.needs:
		o := kernels.MatMulOptions{TransA: true, Precision: t.Precision}
		if bias {
			db, acc := t.into(b)
			o.RowSum, o.AddRowSum = &db, acc
		}
		dw, acc := t.into(w)
		o.Accumulate = acc
		kernels.MatMul(t.P, dw, dy, x, o)
	case bias:
		db, acc := t.into(b)
		kernels.ColSum(t.P, db, t.inFP32(dy), acc)
	}
}
