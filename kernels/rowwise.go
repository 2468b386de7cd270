// SPDX-License-Identifier: MIT

package kernels

import (
	"math"

	"jitvk/engine"
)

// What the kernels on rows of (N,C) and of heads (B,T,H,D) have in common: views with a stride, cut to what a binding can
// hold, and two shapes of dispatch. Across rows, a subgroup (on a GPU) or an invocation (on a CPU driver) owns a row, for
// sums along it. Down columns, an invocation owns a column of a chunk of rows, for weights and their gradients.

// rowView is a tensor as rows of width elements, ld elements apart, the first of them off elements into its range.
type rowView struct {
	Tensor
	rows, width, ld, off int
}

// viewRows returns the tensor's rows, whose length is the product of its last dims dimensions.
func viewRows(op string, t Tensor, dims int) rowView {
	check(len(t.Shape) >= dims, op, "%v: at least %d dimensions wanted", t, dims)
	v := rowView{Tensor: t, ld: t.Ld, off: t.Off}
	v.rows, v.width = t.Rows(dims)
	if v.ld == 0 {
		v.ld = v.width
	}
	check(v.Len() > 0 && v.off >= 0 && v.ld >= v.width && v.reach() <= t.Range.Size(), op, "%v: rows of %d elements do not fit into %v", t, v.width, t.Range)
	check(t.Precision == FP32 || (v.width|v.ld|v.off)%4 == 0, op, "%v: halves in multiples of four wanted", t)
	return v
}

// reach returns how far the rows reach into the range, in bytes.
func (v rowView) reach() int64 { return v.Precision.size() * int64(v.off+(v.rows-1)*v.ld+v.width) }

// Ld and Off as shaders take them.
func (v rowView) stride() uint32 { return uint32(v.ld) }
func (v rowView) offset() uint32 { return uint32(v.off) }

// piece returns rows s.first to s.first+s.n-1. The offset is counted from the piece's own range.
func (v rowView) piece(s span) rowView {
	v.rows = s.n
	v.Shape, v.Ld, v.Off = []int{v.rows, v.width}, v.ld, v.off // what a binding says that the shader touches
	v.Range = v.Range.Sub(v.Precision.size()*int64(s.first)*int64(v.ld), v.reach())
	return v
}

// headRows returns x as rows to normalise: heads to a token, and the floats of each. A tensor (B,T,H,D) with D = width has
// H heads; (N…,C) with C = width has one.
func headRows(op string, x Tensor, width int) (v rowView, heads int) {
	if len(x.Shape) == 4 && x.Shape[3] == width {
		return viewRows(op, x, 2), x.Shape[2]
	}
	v = viewRows(op, x, 1)
	check(v.width == width, op, "x %v, weight (%d): x (N,%d) or (B,T,H,%d) wanted", x, width, width, width)
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
	return 4, 4 * p.Info().SubgroupSize, true
}

// columnVec is vec for downColumns and perImage, whose invocations own as many columns. A GPU wants the more invocations.
func columnVec(p *engine.Program, floats ...int) uint32 {
	if subgroupWorkgroups(p) {
		return vec(p, floats...)
	}
	return 1
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

// chunkRows is how many of n rows an invocation of downColumns visits: about the root, so that a sum's two passes are
// equally long; on a CPU driver more, since there a workgroup costs as much as a hundred elements.
func chunkRows(p *engine.Program, n int) int {
	chunk := max(16, int(math.Sqrt(float64(n))), ceilDiv(n, 65535))
	if subgroupWorkgroups(p) {
		chunk = max(chunk, 128)
	}
	return chunk
}
