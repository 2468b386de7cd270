// SPDX-License-Identifier: MIT

package kernels

import (
	"math"

	"jitvk/engine"
)

// What the kernels on rows of (N,C) and of heads (B,T,H,D) have in common: views with a stride, cut to what a binding can
// hold, and two shapes of dispatch. Across rows, a subgroup (on a GPU) or an invocation (on a CPU driver) owns a row, for
// sums along it. Down columns, an invocation owns a column of a chunk of rows, for weights and their gradients.

// headRows returns x as rows to normalise: heads to a token, and the floats of each. A tensor (B,T,H,D) with D = width has
// H heads; (N…,C) with C = width has one.
func headRows(op string, x Tensor, width int) (v Tensor, heads int) {
	if len(x.Shape) == 4 && x.Shape[3] == width {
		return x.byRows(op, 2), x.Shape[2]
	}
	v = x.byRows(op, 1)
	check(v.width() == width, op, "x %v, weight (%d): x (N,%d) or (B,T,H,%d) wanted", x, width, width, width)
	return v, 1
}

// acrossRows records a shader that gives each of n rows one subgroup, or one invocation on a CPU driver, where a load
// costs the same however far apart the lanes' words are and sums across lanes do not pay. Constant 0 is the workgroup's
// size, constant 1 says which; constants from 2 on are the shader's own.
func acrossRows(p *engine.Program, shader string, n int, flops float64, push any, spec []uint32, bind ...engine.Binding) {
	rows, local, shared := rowsPerGroup(p)
	p.Dispatch(engine.Dispatch{Shader: shader, Spec: append([]uint32{uint32(local), flag(shared)}, spec...), Groups: grid(ceilDiv(n, rows)),
		Push: push, Bind: bind, FLOPs: flops})
}

// rowsPerGroup returns how many rows a workgroup of acrossRows owns, its size, and whether a subgroup shares a row.
func rowsPerGroup(p *engine.Program) (rows, local int, shared bool) {
	if subgroupWorkgroups(p) {
		return p.Info().SubgroupSize, p.Info().SubgroupSize, false
	}
	rows = rowsPerWorkgroup(p.Info())
	return rows, rows * p.Info().SubgroupSize, true
}

// rowsPerWorkgroup is four, a subgroup each, or as many as a workgroup may have.
func rowsPerWorkgroup(info engine.Info) int {
	return min(4, max(1, info.MaxInvocations/info.SubgroupSize))
}

// columnVec is vec for downColumns and perImage, whose invocations own as many columns. A GPU wants the more invocations.
func columnVec(p *engine.Program, floats ...int) uint32 {
	if subgroupWorkgroups(p) {
		return vec(p, floats...)
	}
	return 1
}

// columnFours is VEC for shaders that take ROWS rows at a time: on a GPU too an invocation owns four columns where it can, so that
// enough bytes are on their way. ts may be in halves, which move in fours.
func columnFours(p *engine.Program, ts []Tensor, floats ...int) uint32 {
	if subgroupWorkgroups(p) {
		return vecOf(p, ts, floats...)
	}
	return fours(floats...)
}

// rowsAtOnce is ROWS of shaders/rows.glsl. A CPU driver waits for no load, and four copies of the code would cost it more.
func rowsAtOnce(p *engine.Program) uint32 {
	if subgroupWorkgroups(p) {
		return 1
	}
	return 4
}

// downColumns records a shader whose invocations each own one of width columns, or of width groups of columns, for chunk rows.
// Constant 0 is the workgroup's size; constants from 1 on are the shader's own.
func downColumns(p *engine.Program, shader string, rows, width, chunk int, flops float64, push any, spec []uint32, bind ...engine.Binding) {
	local := columnsPerGroup(p)
	p.Dispatch(engine.Dispatch{Shader: shader, Spec: append([]uint32{uint32(local)}, spec...),
		Groups: [3]int{ceilDiv(width, local), ceilDiv(rows, chunk), 1}, Push: push, Bind: bind, FLOPs: flops})
}

// columnsPerGroup returns how many columns a workgroup of downColumns owns.
func columnsPerGroup(p *engine.Program) int {
	if subgroupWorkgroups(p) {
		return p.Info().SubgroupSize
	}
	return 64
}

// chunkRows is how many of n rows an invocation of downColumns visits. On a GPU there are up to 256 chunks, which fill it, and whose
// sums colsum adds up in one pass; on a CPU driver a chunk is about the root, so that a sum's two passes are equally long, and not
// below 128, since there a workgroup costs as much as a hundred elements.
func chunkRows(p *engine.Program, n int) int {
	if subgroupWorkgroups(p) {
		return max(128, int(math.Sqrt(float64(n))), ceilDiv(n, 65535))
	}
	return max(16, ceilDiv(n, 256))
}

// chunkOnly is chunkRows for a shader that leaves no sums: on a GPU as few rows as are worth loading the columns' parameters.
func chunkOnly(p *engine.Program, n int) int {
	if subgroupWorkgroups(p) {
		return chunkRows(p, n)
	}
	return max(16, ceilDiv(n, 65535))
}

// formats is FORMAT_… of a shader for each of its tensors that may be in halves.
func formats(ts ...Tensor) (out []uint32) {
	for _, t := range ts {
		out = append(out, uint32(t.Precision))
	}
	return out
}

// A roundedCopy is what the backward pass of a norm writes besides dx: dx once more, in halves, as products will read it. It is one
// tensor or none.
type roundedCopy []Tensor

// look panics unless the copy is in halves, contiguous and like dx.
func (c roundedCopy) look(op string, dx Tensor) {
	if len(c) > 0 {
		check(len(c) == 1 && c[0].Precision != FP32 && c[0].Len() == dx.Len() && c[0].Contiguous(), op,
			"dx %v, rounded %v: one tensor in halves, like dx and contiguous", dx, []Tensor(c))
	}
}

// part is a piece's binding, and COPY of its shader.
func (c roundedCopy) part(s span, width int) (engine.Binding, uint32) {
	if len(c) == 0 {
		return engine.Nothing, 0
	}
	return piece(c[0], s, width).write(), uint32(c[0].Precision)
}

// cut are the words of a row in all that is cut, for spans: those of others, and of the copy.
func (c roundedCopy) cut(width int, others ...int) []int {
	if len(c) > 0 {
		return append(others, c[0].words(width))
	}
	return others
}

// checkHalves panics where a tensor is in halves and VEC is not 4.
func checkHalves(op string, vec uint32, ts ...Tensor) {
	for _, t := range ts {
		check(t.Precision == FP32 || vec == 4, op, "%v among %v: halves want all rows, and quarters of heads, in multiples of four", t, ts)
	}
}
