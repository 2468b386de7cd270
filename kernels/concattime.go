// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// ConcatTime appends an image's time embedding to each of its tokens: y[b,t] = [x[b,t] | e[b]].
// y (B,T,C+E), x (B,T,C), e (B,E).
func ConcatTime(p *engine.Program, y, x, e Tensor) {
	b, t, c, extra := concatShape("ConcatTime", y, x, e)
	for _, s := range spans(p, "ConcatTime", b, 1, t*c, extra, t*(c+extra)) {
		push := struct{ Rows, Tokens, Cols, Extra, Blocks uint32 }{uint32(s.n * t), uint32(t), uint32(c), uint32(extra),
			uint32(ceilDiv(c+extra, blockSize(p)))}
		blocked(p, "concattime_fwd", s.n*t, c+extra, push, nil,
			piece(y, s, t*(c+extra)).Write(), piece(x, s, t*c).Read(), piece(e, s, extra).Read())
	}
}

// ConcatTimeBackward is dx = dy[…,:C] and de = the sum over tokens of dy[…,C:]; accX and accE add to what they hold. A nil
// dx is not computed: pixels need no gradient. dx (B,T,C), de (B,E), dy (B,T,C+E).
func ConcatTimeBackward(p *engine.Program, dx *Tensor, de, dy Tensor, accX, accE bool) {
	check(len(dy.Shape) == 3 && len(de.Shape) == 2, "ConcatTimeBackward", "de %v, dy %v: (B,E) and (B,T,C+E) wanted", de, dy)
	x := Tensor{Shape: []int{dy.Shape[0], dy.Shape[1], dy.Shape[2] - de.Shape[1]}}
	if dx != nil {
		x = *dx
	}
	b, t, c, extra := concatShape("ConcatTimeBackward", dy, x, de)
	for _, s := range spans(p, "ConcatTimeBackward", b, 1, t*c, extra, t*(c+extra)) {
		dyPart := piece(dy, s, t*(c+extra))
		sumTokens(p, de.byRows("ConcatTimeBackward", 1).piece(s), dyPart, t, t*(c+extra), c+extra, c, accE)
		if dx != nil {
			push := struct{ Rows, Cols, Extra, Blocks uint32 }{uint32(s.n * t), uint32(c), uint32(extra), uint32(ceilDiv(c, blockSize(p)))}
			blocked(p, "concattime_bwd", s.n*t, c, push, []uint32{flag(accX)}, piece(*dx, s, t*c).Update(accX), dyPart.Read())
		}
	}
}

func concatShape(op string, y, x, e Tensor) (b, t, c, extra int) {
	ok := len(y.Shape) == 3 && len(x.Shape) == 3 && len(e.Shape) == 2 && y.Contiguous() && x.Contiguous() && e.Contiguous() &&
		x.Shape[0] == y.Shape[0] && x.Shape[1] == y.Shape[1] && e.Shape[0] == y.Shape[0] && x.Shape[2]+e.Shape[1] == y.Shape[2]
	check(ok, op, "y %v, x %v, e %v: contiguous (B,T,C+E), (B,T,C) and (B,E) wanted", y, x, e)
	return y.Shape[0], y.Shape[1], x.Shape[2], e.Shape[1]
}
