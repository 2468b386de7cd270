// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// Cast is y = x in another precision: rounded to y's, FP16 or BF16, as MatMul rounds its operands, or out of x's halves, as they
// are. x, y (N…,C), rows may lie apart; all of it in multiples of four elements.
func Cast(p *engine.Program, y, x Tensor) {
	const op = "Cast"
	if x.Contiguous() && y.Contiguous() { // of which shape does not matter: rows of four
		n := same(op, y, x)
		check(n%4 == 0, op, "y %v, x %v: a multiple of four elements wanted", y, x)
		y, x = y.Reshape(n/4, 4), x.Reshape(n/4, 4)
	}
	yv, xv := y.byRows(op, 1), x.byRows(op, 1)
	check((y.Precision != FP32) != (x.Precision != FP32) && yv.rows() == xv.rows() && yv.width() == xv.width() && yv.inFours() &&
		xv.inFours(), op, "y %v, x %v: one in halves, one in fp32, of one shape and in multiples of four wanted", y, x)
	for _, s := range spans(p, op, xv.rows(), 1, xv.words(xv.Ld), yv.words(yv.Ld)) {
		y, x := yv.piece(s), xv.piece(s)
		count := s.n * x.width() / 4
		push := struct{ Count, Quads, LdX, OffX, LdY, OffY uint32 }{uint32(count), uint32(x.width() / 4), x.stride(), x.offset(),
			y.stride(), y.offset()}
		elementwise(p, "cast", count, push, []uint32{uint32(y.Precision), uint32(x.Precision)}, y.write(), x.read())
	}
}
