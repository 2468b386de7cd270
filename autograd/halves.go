// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// In half precision a product rounds its operands as it loads them. What nothing but products reads may then lie in memory rounded
// already: half the traffic, and not a bit changes. Three kinds of tensors do:
//
//   - weights, which are rounded once a step for all products that read them;
//   - the outputs of norms of rows: RMSNorm, Derf, NormModulate;
//   - the MLP's hidden values.
//
// What attention and its products exchange (queries, keys, values and attention's output) and the MLP's gates and values are read by
// others, too. They are rounded when they are stored, and all that is computed of them is computed of the rounded ones.
//
// The gradient of what lies in halves lies in halves, too (gradOf). Where it has several contributions, they are added in fp32.
//
// Everything else stays in fp32: sums, the residual stream and its gradient, parameters' gradients. So do rows whose length is no
// multiple of four, because shaders move halves by fours, and heads that are no multiples of 16, whose pairs RoPE turns by fours.
// An op that reads fp32 panics when it is given halves: Linear takes what RMSNorm has made, SiLU does not.

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

// halfOf makes the memory for a copy in halves of x's gradient, which a norm's backward writes on the way where that of x's maker then
// reads it in two products: either rounds what it loads, so that not a bit depends on it. There is none in fp32.
func (t *Tape) halfOf(x *Var) []kernels.Tensor {
	precision := t.stored(x.Value.Shape)
	if !x.reread || precision == kernels.FP32 || x.grad.Precision != kernels.FP32 {
		return nil
	}
	x.half = kernels.TempOfPrecision(t.P, "d "+x.name+" in halves", precision, x.Value.Shape...)
	return []kernels.Tensor{x.half}
}

// forProducts is y's gradient as products read it: rows of m.
func (y *Var) forProducts(rows, m int) kernels.Tensor {
	if y.half.Shape != nil {
		return y.half.Reshape(rows, m)
	}
	return y.grad.Reshape(rows, m)
}

// inFP32 is g, or a copy of it where it lies in halves: what is added to it is summed in fp32.
func (t *Tape) inFP32(g kernels.Tensor) kernels.Tensor {
	if g.Precision == kernels.FP32 {
		return g
	}
	wide := kernels.Temp(t.P, "gradient in fp32", g.Shape...)
	kernels.Cast(t.P, wide, g)
	return wide
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
