// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// MatMulSwiGLUOptions are those of MatMulSwiGLU and MatMulSwiGLUBackward.
type MatMulSwiGLUOptions struct {
	ValueFirst bool    // (value | gate) rather than (gate | value)
	Bias       *Tensor // (2F), added to x wᵀ; the forward op's
	Precision  Precision
	Rung       string // as in MatMulOptions
}

// A swigluEpilogue is what MatMul does with a product that is part of a SwiGLU: SWIGLU of shaders/matmul/matmul.glsl.
type swigluEpilogue uint32

const (
	noSwiGLU        swigluEpilogue = iota
	keepGate                       // the product is the gate, which c keeps; its value lies in c
	dropGate                       // c holds the value, and the gate goes nowhere
	swigluGradients                // the product is dh
)

// writesH reports whether h is an output.
func (e swigluEpilogue) writesH() bool { return e == keepGate || e == dropGate }

// bind says what a product does with c and h, whose values lie toValue elements behind their gates where they hold both. One that
// keeps the gates reads the values, which the product before has written into c, and writes the gates beside them.
func (e swigluEpilogue) bind(c, h matrix, toValue int) (bindC, bindH engine.Binding) {
	value := func(m matrix) matrix { m.off += toValue; return m }
	both := func(m matrix) matrix { // halves of a row, side by side
		m.off += min(0, toValue)
		m.cols *= 2
		return m
	}
	switch e {
	case keepGate:
		return value(c).read().And(c.update(false)), h.tensor().write()
	case dropGate:
		return c.read(), h.tensor().write()
	}
	return both(c).update(false), both(h).read()
}

// MatMulSwiGLU is ab = x wᵀ [+ bias] and h = silu(gate) * value of ab's halves, as SwiGLU has it: x (N…,C), w (2F,C), ab
// (N…,2F) or nil where no backward pass will want it, h (N…,F). x and w may be in halves of the product's precision, as in MatMul,
// and so may h, which then is rounded: as a product that reads it would.
//
// It is two products. The first writes the values. The second multiplies for the gates, and has a gate and its value in
// registers before either is written: compared with MatMul and SwiGLU, ab's gates are not read again, and without ab half of
// what is written is not. x is read twice.
func MatMulSwiGLU(p *engine.Program, h Tensor, ab *Tensor, x, w Tensor, o MatMulSwiGLUOptions) {
	const op = "MatMulSwiGLU"
	rows, F := h.Rows(1)
	ok := h.Contiguous() && w.Contiguous() && len(w.Shape) == 2 && w.Shape[0] == 2*F && (o.Bias == nil || o.Bias.Contiguous() && o.Bias.Len() == 2*F)
	check(ok, op, "h %v, x %v, w %v, bias %v: h (N,F), w (2F,C) and bias (2F) wanted, contiguous", h, x, w, o.Bias)
	mo := MatMulOptions{TransB: true, Precision: o.Precision, Rung: o.Rung, swiglu: dropGate, h: h.Reshape(rows, F)}
	gate, value := mo.h, mo.h // without ab, h holds the values until the gates come
	if ab == nil && h.Precision != FP32 {
		value = Temp(p, "values", rows, F)
		gate = value
	}
	if ab != nil {
		swigluShape(op, h, *ab)
		gate, value = columnHalves(*ab, o.ValueFirst)
		mo.swiglu, mo.toValue = keepGate, value.Off-gate.Off
	}
	gateW, valueW := rowHalves(w, F*w.Shape[1], o.ValueFirst)
	vo := MatMulOptions{TransB: true, Precision: o.Precision, Rung: o.Rung}
	if o.Bias != nil {
		gateB, valueB := rowHalves(*o.Bias, F, o.ValueFirst)
		mo.Bias, vo.Bias = &gateB, &valueB
	}
	MatMul(p, value, x, valueW, vo)
	MatMul(p, gate, x, gateW, mo)
}

// MatMulSwiGLUBackward is dab from ab where y = h wᵀ was computed from h: with dh = dy w, which is nowhere written,
// SwiGLUBackward. dab, ab (N…,2F), dy (N…,C), w (C,F).
func MatMulSwiGLUBackward(p *engine.Program, dab, dy, w, ab Tensor, o MatMulSwiGLUOptions) {
	const op = "MatMulSwiGLUBackward"
	same(op, dab, ab)
	check(len(w.Shape) == 2 && ab.Shape[len(ab.Shape)-1] == 2*w.Shape[1] && o.Bias == nil, op, "dab %v, dy %v, w %v, ab %v: (N,2F), (N,C), (C,F), (N,2F) and no bias wanted",
		dab, dy, w, ab)
	dgate, dvalue := columnHalves(dab, o.ValueFirst)
	gate, _ := columnHalves(ab, o.ValueFirst)
	MatMul(p, dgate, dy, w, MatMulOptions{Precision: o.Precision, Rung: o.Rung, swiglu: swigluGradients, h: gate, toValue: dvalue.Off - dgate.Off})
}

// columnHalves returns the views (N,F) of a contiguous (N…,2F).
func columnHalves(ab Tensor, valueFirst bool) (gate, value Tensor) {
	rows, width := ab.Rows(1)
	gate = Tensor{Shape: []int{rows, width / 2}, Range: ab.Range, Ld: width, Precision: ab.Precision}
	value = gate
	if value.Off = width / 2; valueFirst {
		gate, value = value, gate
	}
	return gate, value
}

// rowHalves returns the halves, of n elements each, of a contiguous weight or bias.
func rowHalves(w Tensor, n int, valueFirst bool) (gate, value Tensor) {
	gate = Tensor{Shape: append([]int{w.Shape[0] / 2}, w.Shape[1:]...), Range: w.Range, Precision: w.Precision}
	value = gate
	if value.Off = n; valueFirst {
		gate, value = value, gate
	}
	return gate, value
}
