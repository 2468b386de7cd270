// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// SwiGLUOptions say how SwiGLU splits its input.
type SwiGLUOptions struct {
	ValueFirst bool // (value | gate) rather than (gate | value)
}

type swigluPush struct{ Rows, Width, Blocks uint32 }

// SwiGLU is h = silu(gate) * value, where each row of ab is (gate | value), or (value | gate). h (N…,F), ab (N…,2F), either of which
// may be in halves where F is a multiple of four. Source: Shazeer, arXiv 2002.05202.
func SwiGLU(p *engine.Program, h, ab Tensor, o SwiGLUOptions) {
	rows, width := swigluShape("SwiGLU", h, ab)
	for _, s := range spans(p, "SwiGLU", rows, 1, h.words(width), ab.words(2*width)) {
		push := swigluPush{uint32(s.n), uint32(width), uint32(ceilDiv(width, blockSize(p)))}
		blocked(p, "swiglu_fwd", s.n, width, push,
			[]uint32{flag(o.ValueFirst), vecOf(p, []Tensor{h, ab}, width), uint32(h.Precision), uint32(ab.Precision)},
			piece(h, s, width).write(), piece(ab, s, 2*width).read())
	}
}

// SwiGLUBackward is dab from dh: with s = sigmoid(gate), dvalue = dh gate s and dgate = dh value s (1 + gate (1 - s)).
// dab, ab (N…,2F), both of which may be in halves where F is a multiple of four; dh (N…,F).
func SwiGLUBackward(p *engine.Program, dab, dh, ab Tensor, o SwiGLUOptions) {
	rows, width := swigluShape("SwiGLUBackward", dh, ab)
	same("SwiGLUBackward", dab, ab)
	check(dab.Precision == ab.Precision, "SwiGLUBackward", "dab %v, ab %v: one precision wanted", dab, ab)
	for _, s := range spans(p, "SwiGLUBackward", rows, 1, width, ab.words(2*width)) {
		push := swigluPush{uint32(s.n), uint32(width), uint32(ceilDiv(width, blockSize(p)))}
		blocked(p, "swiglu_bwd", s.n, width, push, []uint32{flag(o.ValueFirst), vecOf(p, []Tensor{ab}, width), uint32(ab.Precision)},
			piece(dab, s, 2*width).write(), piece(dh, s, width).Read(), piece(ab, s, 2*width).read())
	}
}

func swigluShape(op string, h, ab Tensor) (rows, width int) {
	rows, width = h.Rows(1)
	abRows, abWidth := ab.Rows(1)
	check(h.Contiguous() && ab.Contiguous() && rows == abRows && abWidth == 2*width, op, "h %v, ab %v: contiguous (N,F) and (N,2F) wanted",
		h, ab)
	check(width%4 == 0 || h.Precision == FP32 && ab.Precision == FP32, op, "h %v, ab %v: halves want F in multiples of four", h, ab)
	return rows, width
}
