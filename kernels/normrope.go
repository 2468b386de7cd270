// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// NormRoPE is RoPE of RMSNorm in one pass, for queries and keys: n = w x rstd with rstd = 1/sqrt(mean(x²) + eps) of a head's
// floats, whose pairs are then turned by the token's angles. x, y (B,T,H,D), tokens may lie apart; w (D); rstd (B,T,H);
// cos, sin (T, D/2) and interleaved as RoPE has them. x and y may be in halves where D is a multiple of 16. y shares no memory with x.
func NormRoPE(p *engine.Program, y, rstd, x, w, cos, sin Tensor, eps float32, interleaved bool) {
	const op = "NormRoPE"
	finite(op, eps)
	v := ropeRows(op, cos, sin, x, y)
	T, H, D := x.Shape[1], x.Shape[2], x.Shape[3]
	check(w.Contiguous() && w.Len() == D && rstd.Contiguous() && rstd.Len() == v[0].rows()*H, op,
		"x %v, w %v, rstd %v: w (%d), rstd (%d) wanted", x, w, rstd, D, v[0].rows()*H)
	for _, s := range spans(p, op, v[0].rows(), T, v[0].words(v[0].Ld), v[1].words(v[1].Ld), H) {
		x, y, rows := v[0].piece(s), v[1].piece(s), s.n*H
		push := struct {
			Rows, Heads, T, Half, LdX, OffX, LdY, OffY uint32
			Eps                                        float32
		}{uint32(rows), uint32(H), uint32(T), uint32(D / 2), x.stride(), x.offset(), y.stride(), y.offset(), eps}
		u := fours(D/4, x.Ld, x.Off, y.Ld, y.Off)
		checkHalves(op, u, x, y)
		acrossRows(p, "normrope_fwd", rows, 7*float64(rows*D), push, append([]uint32{flag(interleaved), u}, formats(y, x)...),
			y.write(), piece(rstd, s, H).Write(), x.read(), w.Read(), cos.Read(), sin.Read())
	}
}

// NormRoPEBackward is dx = rstd (w g - x rstd delta / D) and dw = Σ over tokens and heads of g x rstd, where g is dy turned
// back and delta = Σ dy y of the row; dw in two passes. delta is RMSNorm's Σ g w x rstd: a rotation taken from one factor of a
// sum of products and put into the other leaves it alone. So that sum needs neither tables nor weights, but y, which
// attention keeps anyway. Shapes as for NormRoPE; dx, dy, y like x, dw like w. x, y, dy and dx may be in halves of one precision.
// dx shares no memory with dy or x.
func NormRoPEBackward(p *engine.Program, dx, dw, dy, y, x, w, rstd, cos, sin Tensor, interleaved, accX, accW bool) {
	const op = "NormRoPEBackward"
	v := ropeRows(op, cos, sin, x, dx, dy, y)
	T, H, D := x.Shape[1], x.Shape[2], x.Shape[3]
	check(same(op, w, dw) == D && rstd.Contiguous() && rstd.Len() == v[0].rows()*H, op,
		"x %v, w %v, dw %v, rstd %v: w, dw (%d), rstd (%d) wanted", x, w, dw, rstd, D, v[0].rows()*H)
	for i, s := range spans(p, op, v[0].rows(), T, v[0].words(v[0].Ld), v[1].words(v[1].Ld), v[2].words(v[2].Ld), v[3].words(v[3].Ld), H) {
		x, dx, dy, y, rstd, rows := v[0].piece(s), v[1].piece(s), v[2].piece(s), v[3].piece(s), piece(rstd, s, H), s.n*H
		delta := Temp(p, "normrope delta", s.n, H)
		// T 1: delta (tokens, H)
		pushDelta := attentionDeltaPush{uint32(rows), 1, uint32(H), uint32(D), dy.stride(), dy.offset(), y.stride(), y.offset()}
		wide := fours(D, dy.Ld, dy.Off, y.Ld, y.Off)
		checkHalves(op, wide, dy, y)
		precision := max(dy.Precision, y.Precision) // below fp32 a dy that is not in halves is rounded there
		check(min(dy.Precision, y.Precision) == precision || min(dy.Precision, y.Precision) == FP32, op, "dy %v, y %v: halves of two kinds",
			dy, y)
		acrossRows(p, "attention/delta", rows, 2*float64(rows*D), pushDelta,
			[]uint32{uint32(precision), wide, 2*flag(dy.Precision != FP32) + 4*flag(y.Precision != FP32)},
			delta.Write(), dy.read(), y.read())

		chunk := chunkRows(p, s.n)
		part := Temp(p, "normrope dw", ceilDiv(s.n, chunk)*H, D)
		push := struct{ Rows, T, Pairs, Half, LdDX, OffDX, LdDY, OffDY, LdX, OffX, Chunk uint32 }{uint32(s.n), uint32(T),
			uint32(x.width() / 2), uint32(D / 2),
			dx.stride(), dx.offset(), dy.stride(), dy.offset(), x.stride(), x.offset(), uint32(chunk)}
		u := columnFours(p, []Tensor{x, dx, dy}, D/4, dx.Ld, dx.Off, dy.Ld, dy.Off, x.Ld, x.Off)
		checkHalves(op, u, x, dx, dy)
		downColumns(p, "normrope_bwd", s.n, x.width()/2/int(u), chunk, 10*float64(rows*D), push,
			append([]uint32{flag(accX), flag(interleaved), u}, append(formats(dx, dy, x), rowsAtOnce(p))...),
			dx.update(accX), part.Write(), dy.read(), x.read(), w.Read(), rstd.Read(), delta.Read(), cos.Read(), sin.Read())
		colSum(p, dw, part.byRows(op, 1), accW || i > 0)
	}
}
