// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// Cast is y = x rounded to y's precision, FP16 or BF16, as MatMul rounds its operands. x in fp32, contiguous like y, their
// length a multiple of four.
func Cast(p *engine.Program, y, x Tensor) {
	const op = "Cast"
	n := same(op, y, x)
	check(y.Precision != FP32 && n%4 == 0, op, "y %v, x %v: y in halves and a multiple of four elements wanted", y, x)
	for _, s := range spans(p, op, n/4, 1, x.words(4), y.words(4)) {
		elementwise(p, "cast", s.n, struct{ Count uint32 }{uint32(s.n)}, []uint32{uint32(y.Precision)}, piece(y, s, 4).write(),
			piece(x, s, 4).Read())
	}
}
