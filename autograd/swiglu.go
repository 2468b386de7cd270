// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// SwiGLU is h = silu(a) b where ab (…,2F) holds a and b side by side; valueFirst makes it a silu(b) (Shazeer, arXiv
// 2002.05202). h is (…,F).
func (t *Tape) SwiGLU(ab *Var, valueFirst bool) *Var {
	in := t.take("swiglu", ab)
	n, width := ab.Value.Rows(1)
	shape := append(append([]int{}, ab.Value.Shape[:len(ab.Value.Shape)-1]...), width/2)
	h := t.out("swiglu", in, shape...)
	o := kernels.SwiGLUOptions{ValueFirst: valueFirst}
	kernels.SwiGLU(t.P, h.Value.Reshape(n, width/2), ab.Value.Reshape(n, width), o)

	t.push(h, in, func() {
		dab := t.only("swiglu", ab)
		kernels.SwiGLUBackward(t.P, dab.Reshape(n, width), h.grad.Reshape(n, width/2), ab.Value.Reshape(n, width), o)
	})
	return h
}

// SwiGLUMLP is a transformer's MLP, y = h W3ᵀ + b3 + r with h = SwiGLU(x W12ᵀ + b12): x (…,C), w12 (2F,C), w3 (M,F), biases b12
// (2F) and b3 (M) or nil, residual r like y or nil; y (…,M). It is Linear, SwiGLU, Linear in fewer passes over memory: the
// products end in the SwiGLU and in its gradient, and dh is nowhere written.
//
//	ab = x W12ᵀ + b12            dW3 = dyᵀ h     db3 = sum of dy over rows     dr = dy
//	h = SwiGLU(ab)               dab = SwiGLU's of dh = dy W3
//	y = h W3ᵀ + b3 + r           dW12 = dabᵀ x   db12 = sum of dab over rows   dx = dab W12
//
// Saved: ab and h, which lie in halves in half precision, as dab does (halves.go).
func (t *Tape) SwiGLUMLP(x, w12, b12, w3, b3, r *Var, valueFirst bool) *Var {
	in := append(t.take("swiglu mlp", x, w12, w3), t.maybe("swiglu mlp", b12, b3, r)...)
	rows, c := x.Value.Rows(1)
	s := w3.dims("swiglu mlp", 2)
	m, f := s[0], s[1]
	o12 := kernels.MatMulSwiGLUOptions{ValueFirst: valueFirst, Precision: t.Precision}
	o3 := kernels.MatMulOptions{TransB: true, Precision: t.Precision}
	if b12 != nil {
		o12.Bias = &b12.Value
	}
	if b3 != nil {
		o3.Bias = &b3.Value
	}
	if r != nil {
		flat := r.Value.Reshape(rows, m)
		o3.Residual = &flat
	}
	y := t.out("swiglu mlp", in, append(append([]int{}, x.Value.Shape[:len(x.Value.Shape)-1]...), m)...)
	var ab *kernels.Tensor
	if y.needs {
		saved := kernels.TempOfPrecision(t.P, "gates and values", t.stored(w3.Value.Shape), rows, 2*f)
		ab = &saved
	}
	xs, h := x.Value.Reshape(rows, c), kernels.TempOfPrecision(t.P, "swiglu", t.stored(w3.Value.Shape), rows, f)
	kernels.MatMulSwiGLU(t.P, h, ab, xs, t.weight(w12), o12)
	kernels.MatMul(t.P, y.Value.Reshape(rows, m), h, t.weight(w3), o3)

	y.reread = true
	t.push(y, in, func() {
		dy := y.forProducts(rows, m)
		t.weightGrads(w3, b3, dy, h)
		dab := kernels.TempOfPrecision(t.P, "d gates and values", ab.Precision, rows, 2*f)
		o := kernels.MatMulSwiGLUOptions{ValueFirst: valueFirst, Precision: t.Precision}
		kernels.MatMulSwiGLUBackward(t.P, dab, dy, t.weight(w3), *ab, o)
		t.weightGrads(w12, b12, dab, xs)
		t.inputGrad(x, w12, dab)
		if r != nil {
			t.give(r, y)
		}
	})
	return y
}
