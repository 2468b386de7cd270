// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

type colSumPush struct{ Rows, Cols, Ld, Off, Chunk uint32 }

// ColSum is db = Σ over rows of dy, or db += with acc: the gradient of a bias. db (C); dy (N…,C), rows may lie apart.
func ColSum(p *engine.Program, db, dy Tensor, acc bool) {
	v := dy.byRows("ColSum", 1)
	check(db.Len() == v.width() && db.Contiguous(), "ColSum", "db %v, dy %v: db (%d) wanted", db, dy, v.width())
	for i, s := range spans(p, "ColSum", v.rows(), 1, v.Ld) {
		colSums(p, acc || i > 0, columnSum{db, v.piece(s)})
	}
}

// A columnSum is to (C) = Σ over rows of from (N,C).
type columnSum struct{ to, from Tensor }

// colSum is colSums of one.
func colSum(p *engine.Program, to, from Tensor, acc bool) { colSums(p, acc, columnSum{to, from}) }

// colSums sums chunks of rows, then the chunks' sums: of one tensor, or of two of one shape in one dispatch.
func colSums(p *engine.Program, acc bool, sums ...columnSum) {
	v := sums[0].from
	chunk, columns, lanes := columnLanes(p, v.rows())
	chunks := ceilDiv(v.rows(), chunk)
	last := chunks == 1
	u := columnVec(p, v.width(), v.Ld, v.Off)
	bind := []engine.Binding{engine.Nothing, engine.Nothing, engine.Nothing, engine.Nothing}
	var left []columnSum
	for i, s := range sums {
		to := s.to
		if !last {
			to = Temp(p, "column sums", chunks, v.width())
			left = append(left, columnSum{s.to, to.byRows("ColSum", 1)})
		}
		bind[2*i], bind[2*i+1] = to.Update(acc && last), s.from.Read()
	}
	p.Dispatch(engine.Dispatch{Shader: "colsum", Spec: []uint32{uint32(columns * lanes), flag(acc && last), u, uint32(lanes)},
		Groups: [3]int{ceilDiv(v.width(), columns*int(u)), chunks, len(sums)},
		Push:   colSumPush{uint32(v.rows()), uint32(v.width()), v.stride(), v.offset(), uint32(chunk)}, Bind: bind,
		FLOPs: float64(len(sums) * v.rows() * v.width())})
	if !last {
		colSums(p, acc, left...)
	}
}

// columnLanes returns how many of n rows a workgroup sums, how many columns it owns, and how many lanes share a column. On a GPU they are
// so many that the partial sums of some hundred workgroups take one pass.
func columnLanes(p *engine.Program, n int) (chunk, columns, lanes int) {
	if subgroupWorkgroups(p) {
		return chunkRows(p, n), columnsPerGroup(p), 1
	}
	columns = 32
	return max(256, ceilDiv(n, 65535)), columns, localSize(p) / columns
}
