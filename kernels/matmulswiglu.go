// SPDX-License-Identifier: MIT

package kernels

import (
	"slices"

	"jitvk/engine"
)

// MatMulSwiGLUOptions are those of MatMulSwiGLU and MatMulSwiGLUBackward.
type MatMulSwiGLUOptions struct {
	ValueFirst bool    // (value | gate) rather than (gate | value)
	Bias       *Tensor // (2F), added to x wᵀ; the forward op's
	Precision  Precision
	Rung       string // as in MatMulOptions
}

// A swigluPart is which part of a SwiGLU a product is: SWIGLU of shaders/matmul/matmul.glsl.
type swigluPart uint32

const (
	noSwiGLU        swigluPart = iota
	keepGate                   // the product is the gate, which c keeps; its value lies in c
	dropGate                   // c holds the value, and the gate goes nowhere: it counts as c would hold it
	swigluGradients            // the product is dh, and c gets the gradients of gate and value
)

// A swiglu is what a product does besides: it reads or writes h, and finds the value of the gate in column j of a row of c in
// column j + value - gate. Rows of c are (gate | value) or (value | gate) of N columns each, or N columns for dropGate. So are
// those of h for swigluGradients; else h, an output, has N.
type swiglu struct {
	part        swigluPart
	h           Tensor
	gate, value int // the columns of c where they begin
}

// width is how many columns c has where the product has N.
func (s swiglu) width(N int) int {
	if s.part == keepGate || s.part == swigluGradients {
		return 2 * N
	}
	return N
}

// gateOfH is the column of h where its gates begin.
func (s swiglu) gateOfH() int {
	if s.part == swigluGradients {
		return s.gate
	}
	return 0
}

// bind says what a product of N columns does with c and h. With keepGate the shader reads the values in c, which the product before
// has written, and writes the gates beside them.
func (s swiglu) bind(c Tensor, N int) (bindC, bindH engine.Binding) {
	switch s.part {
	case keepGate:
		return c.columns(s.value, N).read().And(c.columns(s.gate, N).write()), s.h.write()
	case dropGate:
		return c.read(), s.h.write()
	}
	return c.write(), s.h.read()
}

// columns returns n columns of matrices, from first on, in the same range.
func (t Tensor) columns(first, n int) Tensor {
	t.Shape = append(slices.Clone(t.Shape[:len(t.Shape)-1]), n)
	t.Off += first
	return t
}

// MatMulSwiGLU is ab = x wᵀ [+ bias] and h = silu(gate) * value of ab's halves, as SwiGLU has it: x (N…,C), w (2F,C), ab
// (N…,2F) or nil where no backward pass will want it, h (N…,F). x and w may be in halves of the product's precision, as in MatMul.
// So may ab and h, both of them: ab is rounded, and h is that of the rounded ab, whether ab is kept or not, and rounded, too.
//
// It is two products. The first writes the values. The second multiplies for the gates, and has a gate and its value in
// registers before either is written: compared with MatMul and SwiGLU, ab's gates are not read again, and without ab half of
// what is written is not. x is read twice. Where ab is in halves and the device's rung cannot store them it is MatMul and SwiGLU.
func MatMulSwiGLU(p *engine.Program, h Tensor, ab *Tensor, x, w Tensor, o MatMulSwiGLUOptions) {
	const op = "MatMulSwiGLU"
	rows, F := h.Rows(1)
	ok := h.Contiguous() && w.Contiguous() && len(w.Shape) == 2 && w.Shape[0] == 2*F &&
		(o.Bias == nil || o.Bias.Contiguous() && o.Bias.Len() == 2*F)
	check(ok, op, "h %v, x %v, w %v, bias %v: h (N,F), w (2F,C) and bias (2F) wanted, contiguous", h, x, w, o.Bias)
	gateW, valueW := rowHalves(w, F*w.Shape[1], o.ValueFirst)
	forGates := MatMulOptions{TransB: true, Precision: o.Precision, Rung: o.Rung}
	forValues := forGates
	if o.Bias != nil {
		gateB, valueB := rowHalves(*o.Bias, F, o.ValueFirst)
		forGates.Bias, forValues.Bias = &gateB, &valueB
	}
	end := swiglu{part: dropGate, h: h.Reshape(1, rows, F).asMatrices(op, true)}
	var c, values Tensor // of the gates' product, and of that for the values: c holds these, too
	switch {
	case ab != nil:
		swigluShape(op, h, *ab)
		check(ab.Precision == h.Precision, op, "h %v, ab %v: one precision wanted", h, *ab)
		c = ab.Reshape(rows, 2*F)
		gates, v := columnHalves(c, o.ValueFirst)
		end.part, end.gate, end.value, values = keepGate, gates.Off, v.Off, v
	case h.Precision == FP32:
		c = h.Reshape(rows, F) // h holds the values until the gates come
		values = c
	default:
		c = TempOfPrecision(p, "values", h.Precision, rows, F)
		values = c
	}
	gates := newProduct(op, c, x, gateW, forGates)
	gates.swiglu = end
	if !gates.storesHalves(p) {
		if ab == nil {
			both := TempOfPrecision(p, "gates and values", h.Precision, rows, 2*F)
			ab = &both
		}
		MatMul(p, ab.Reshape(rows, 2*F), x, w, MatMulOptions{TransB: true, Precision: o.Precision, Rung: o.Rung, Bias: o.Bias})
		SwiGLU(p, h, *ab, SwiGLUOptions{ValueFirst: o.ValueFirst})
		return
	}
	newProduct(op, values, x, valueW, forValues).record(p)
	gates.record(p)
}

// storesHalves reports whether the product, which ends in a SwiGLU, can be made as it is: c is in fp32, or its rung stores halves.
// The choice is made here, once: Program.Choose counts how often a class is used.
func (m *product) storesHalves(p *engine.Program) bool {
	if m.check(); m.c.Precision == FP32 {
		return true
	}
	choice := m.choose(p)
	m.Choice = &choice
	return slices.Contains(storesFours, choice.Rung)
}

// MatMulSwiGLUBackward is dab from ab where y = h wᵀ was computed from h: with dh = dy w, which is nowhere written,
// SwiGLUBackward. dab, ab (N…,2F), dy (N…,C), w (C,F). dab and ab may be in halves of the product's precision, both of them.
func MatMulSwiGLUBackward(p *engine.Program, dab, dy, w, ab Tensor, o MatMulSwiGLUOptions) {
	const op = "MatMulSwiGLUBackward"
	same(op, dab, ab)
	rows, width := ab.Rows(1)
	check(len(w.Shape) == 2 && width == 2*w.Shape[1] && o.Bias == nil && dab.Precision == ab.Precision, op,
		"dab %v, dy %v, w %v, ab %v: (N,2F), (N,C), (C,F), (N,2F), the first and the last in one precision, and no bias wanted", dab, dy,
		w, ab)
	ab, dab = ab.Reshape(rows, width), dab.Reshape(rows, width)
	gate, value := columnHalves(ab, o.ValueFirst)
	dh := newProduct(op, dab, dy, w, MatMulOptions{Precision: o.Precision, Rung: o.Rung})
	dh.swiglu = swiglu{swigluGradients, ab.asMatrices(op, false), gate.Off, value.Off}
	if !dh.storesHalves(p) {
		plain := Temp(p, "dh", rows, w.Shape[1])
		MatMul(p, plain, dy.Reshape(rows, w.Shape[0]), w, MatMulOptions{Precision: o.Precision, Rung: o.Rung})
		SwiGLUBackward(p, dab, plain, ab, SwiGLUOptions{ValueFirst: o.ValueFirst})
		return
	}
	dh.record(p)
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
