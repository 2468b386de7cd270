// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// Where Tape.Precision is FP16 or BF16, what only matrix products read is kept in halves: weights are rounded once for all their
// products; norms (RMSNorm and Derf of rows, NormModulate) and the MLP's hidden values are rounded as they are stored. The
// products would round them as they load them, so no bit of theirs changes. Any other op panics when it is given such a Var.
//
// In fp32 stay sums, gradients, the residual stream, what attention takes and gives, and rows whose length is no multiple of four.

// operand is out for what only matrix products read.
func (t *Tape) operand(op string, in []*Var, shape ...int) *Var {
	return t.outOfPrecision(t.stored(shape), op, in, shape...)
}

// stored is the precision in memory of an operand of products: theirs, where rows can be in halves.
func (t *Tape) stored(shape []int) kernels.Precision {
	if shape[len(shape)-1]%4 != 0 {
		return kernels.FP32
	}
	return t.Precision
}

// weight returns w's value as products take it. Its first use records the rounding.
func (t *Tape) weight(w *Var) kernels.Tensor {
	precision := t.stored(w.Value.Shape)
	if precision == kernels.FP32 {
		return w.Value
	}
	half, ok := t.halves[w]
	if !ok {
		half = kernels.TempOfPrecision(t.P, w.name, precision, w.Value.Shape...)
		kernels.Cast(t.P, half, w.Value)
		t.halves[w] = half
	}
	return half
}
