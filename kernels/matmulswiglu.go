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
	dropGate                   // c holds the value, and the gate goes nowhere
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

// writesH reports whether h is an output.
func (s swiglu) writesH() bool { return s.part == keepGate || s.part == dropGate }

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
		return c.columns(s.value, N).Read().And(c.columns(s.gate, N).Write()), s.h.write()
	case dropGate:
		return c.Read(), s.h.write()
	}
	return c.Write(), s.h.Read()
}

// columns returns n columns of matrices, from first on, in the same range.
func (t Tensor) columns(first, n int) Tensor {
	t.Shape = append(slices.Clone(t.Shape[:len(t.Shape)-1]), n)
	t.Off += first
	return t
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
		c = ab.Reshape(rows, 2*F)
		gates, v := columnHalves(c, o.ValueFirst)
		end.part, end.gate, end.value, values = keepGate, gates.Off, v.Off, v
	case h.Precision == FP32:
		c = h.Reshape(rows, F) // h holds the values until the gates come
		values = c
	default:
		c = Temp(p, "values", rows, F)
		values = c
	}
	newProduct(op, values, x, valueW, forValues).record(p)
	gates := newProduct(op, c, x, gateW, forGates)
	gates.swiglu = end
	gates.record(p)
}

// MatMulSwiGLUBackward is dab from ab where y = h wᵀ was computed from h: with dh = dy w, which is nowhere written,
// SwiGLUBackward. dab, ab (N…,2F), dy (N…,C), w (C,F).
func MatMulSwiGLUBackward(p *engine.Program, dab, dy, w, ab Tensor, o MatMulSwiGLUOptions) {
	const op = "MatMulSwiGLUBackward"
	same(op, dab, ab)
	rows, width := ab.Rows(1)
	check(len(w.Shape) == 2 && width == 2*w.Shape[1] && o.Bias == nil, op,
		"dab %v, dy %v, w %v, ab %v: (N,2F), (N,C), (C,F), (N,2F) and no bias wanted", dab, dy, w, ab)
	ab, dab = ab.Reshape(rows, width), dab.Reshape(rows, width)
	gate, value := columnHalves(ab, o.ValueFirst)
	dh := newProduct(op, dab, dy, w, MatMulOptions{Precision: o.Precision, Rung: o.Rung})
	dh.swiglu = swiglu{swigluGradients, ab.asMatrices(op, false), gate.Off, value.Off}
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
