// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

type colSumPush struct{ Rows, Cols, Ld, Off, Chunk uint32 }

// ColSum is db = Σ over rows of dy, or db += with acc: the gradient of a bias. db (C); dy (N…,C), rows may lie apart.
func ColSum(p *engine.Program, db, dy Tensor, acc bool) {
	v := dy.byRows("ColSum", 1)
	check(db.Len() == v.width() && db.Contiguous(), "ColSum", "db %v, dy %v: db (%d) wanted", db, dy, v.width())
	for i, s := range spans(p, "ColSum", v.rows(), 1, v.Ld) {
		colSum(p, db, v.piece(s), acc || i > 0)
	}
}

// colSum sums chunks of rows, then the chunks' sums.
func colSum(p *engine.Program, db Tensor, v Tensor, acc bool) {
	chunk := chunkRows(p, v.rows())
	dst, last := db, v.rows() <= chunk
	if !last {
		dst = Temp(p, "column sums", ceilDiv(v.rows(), chunk), v.width())
	}
	push := colSumPush{uint32(v.rows()), uint32(v.width()), v.stride(), v.offset(), uint32(chunk)}
	u := columnVec(p, v.width(), v.Ld, v.Off)
	downColumns(p, "colsum", v.rows(), v.width()/int(u), chunk, float64(v.rows()*v.width()), push, []uint32{flag(acc && last), u},
		dst.Update(acc && last), v.Read())
	if !last {
		colSum(p, db, dst.byRows("ColSum", 1), acc)
	}
}
