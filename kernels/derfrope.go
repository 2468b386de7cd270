// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// DerfRoPE is RoPE of Derf in one pass, for queries and keys: n = erf(alpha x + shift), whose pairs are then turned by the
// token's angles. x, y (B,T,H,D), tokens may lie apart; alpha, shift (H*D); cos, sin (T, D/2) and interleaved as RoPE has
// them. x and y may be in halves where D is a multiple of 16. y shares no memory with x.
func DerfRoPE(p *engine.Program, y, x, alpha, shift, cos, sin Tensor, interleaved bool) {
	const op = "DerfRoPE"
	v := ropeRows(op, cos, sin, x, y)
	T, D := x.Shape[1], x.Shape[3]
	check(same(op, alpha, shift) == v[0].width(), op, "x %v, alpha %v, shift %v: alpha and shift (%d) wanted", x, alpha, shift,
		v[0].width())
	for _, s := range spans(p, op, v[0].rows(), T, v[0].words(v[0].Ld), v[1].words(v[1].Ld)) {
		x, y, chunk := v[0].piece(s), v[1].piece(s), chunkOnly(p, s.n)
		push := struct{ Rows, T, Pairs, Half, LdX, OffX, LdY, OffY, Chunk uint32 }{
			uint32(s.n), uint32(T), uint32(x.width() / 2), uint32(D / 2), x.stride(), x.offset(), y.stride(), y.offset(), uint32(chunk)}
		u := columnFours(p, []Tensor{x, y}, D/4, x.Ld, x.Off, y.Ld, y.Off)
		checkHalves(op, u, x, y)
		downColumns(p, "derfrope_fwd", s.n, x.width()/2/int(u), chunk, 43*float64(s.n*x.width()), push,
			append([]uint32{flag(interleaved), u}, append(formats(y, x), rowsAtOnce(p))...), y.write(), x.read(), alpha.Read(),
			shift.Read(), cos.Read(), sin.Read())
	}
}

// DerfRoPEBackward is DerfBackward of dy turned back, in one pass, the sums in a second. Shapes as for DerfRoPE, dx and dy
// like x, dalpha and dshift like alpha; accX adds to dx, accW to dalpha and dshift. x, dy and dx may be in halves. dx
// shares no memory with dy or x.
func DerfRoPEBackward(p *engine.Program, dx, dalpha, dshift, dy, x, alpha, shift, cos, sin Tensor, interleaved, accX, accW bool) {
	const op = "DerfRoPEBackward"
	v := ropeRows(op, cos, sin, x, dx, dy)
	T, D := x.Shape[1], x.Shape[3]
	check(same(op, alpha, shift, dalpha, dshift) == v[0].width(), op, "x %v, alpha %v: alpha, shift and their gradients (%d) wanted", x,
		alpha, v[0].width())
	for i, s := range spans(p, op, v[0].rows(), T, v[0].words(v[0].Ld), v[1].words(v[1].Ld), v[2].words(v[2].Ld)) {
		x, dx, dy, chunk := v[0].piece(s), v[1].piece(s), v[2].piece(s), chunkRows(p, s.n)
		partA, partS := Temp(p, "derfrope dalpha", ceilDiv(s.n, chunk), x.width()),
			Temp(p, "derfrope dshift", ceilDiv(s.n, chunk), x.width())
		push := struct{ Rows, T, Pairs, Half, LdDX, OffDX, LdDY, OffDY, LdX, OffX, Chunk uint32 }{uint32(s.n), uint32(T),
			uint32(x.width() / 2), uint32(D / 2),
			dx.stride(), dx.offset(), dy.stride(), dy.offset(), x.stride(), x.offset(), uint32(chunk)}
		u := columnFours(p, []Tensor{x, dx, dy}, D/4, dx.Ld, dx.Off, dy.Ld, dy.Off, x.Ld, x.Off)
		checkHalves(op, u, x, dx, dy)
		downColumns(p, "derfrope_bwd", s.n, x.width()/2/int(u), chunk, 33*float64(s.n*x.width()), push,
			append([]uint32{flag(accX), flag(interleaved), u}, append(formats(dx, dy, x), rowsAtOnce(p))...),
			dx.update(accX), partA.Write(), partS.Write(), dy.read(), x.read(), alpha.Read(), shift.Read(), cos.Read(), sin.Read())
		colSums(p, accW || i > 0, columnSum{dalpha, partA.byRows(op, 1)}, columnSum{dshift, partS.byRows(op, 1)})
	}
}
