// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// derfRows returns x as rows of alpha's length: (N…,C) with alpha (C), or heads (B,T,H,D) with alpha (H*D).
func derfRows(op string, x, alpha Tensor) Tensor {
	dims := 1
	if len(x.Shape) == 4 && x.Shape[3] != alpha.Len() {
		dims = 2
	}
	v := x.byRows(op, dims)
	check(v.width() == alpha.Len() && alpha.Contiguous(), op, "x %v, alpha %v: x (N,C) with alpha (C), or (B,T,H,D) with (H*D), wanted", x,
		alpha)
	return v
}

// Derf is y = erf(alpha x + shift), a slope and a shift a channel (arXiv 2512.10938; the post's form). x, y (N…,C) with
// alpha, shift (C), or heads (B,T,H,D) with alpha, shift (H*D). Rows may lie apart. y may be in halves, as the products that read
// it would round it. y shares no memory with x.
func Derf(p *engine.Program, y, x, alpha, shift Tensor) {
	xv, yv := derfRows("Derf", x, alpha), derfRows("Derf", y, alpha)
	check(yv.rows() == xv.rows() && shift.Contiguous() && shift.Len() == alpha.Len(), "Derf", "y %v, x %v, alpha %v, shift %v", y, x, alpha,
		shift)
	for _, s := range spans(p, "Derf", xv.rows(), 1, xv.Ld, yv.words(yv.Ld)) {
		x, y, chunk := xv.piece(s), yv.piece(s), chunkOnly(p, s.n)
		push := struct{ Rows, Cols, LdX, OffX, LdY, OffY, Chunk uint32 }{
			uint32(s.n), uint32(x.width()), x.stride(), x.offset(), y.stride(), y.offset(), uint32(chunk)}
		u := columnFours(p, []Tensor{y}, x.width(), x.Ld, x.Off, y.Ld, y.Off)
		checkHalves("Derf", u, y, x)
		downColumns(p, "derf_fwd", s.n, x.width()/int(u), chunk, 40*float64(s.n*x.width()), push,
			[]uint32{u, uint32(y.Precision), rowsAtOnce(p)}, y.write(), x.Read(), alpha.Read(), shift.Read())
	}
}

// DerfBackward is dx = alpha g, dalpha = Σ over rows of g x, dshift = Σ g, where g = dy 2/√π exp(-(alpha x + shift)²); the
// sums in two passes. Shapes as for Derf; accX adds to dx, accW to dalpha and dshift. dy may be in halves. dx shares no memory with
// dy or x. rounded, where it is given, gets dx, too, in halves: for products, which would round it.
func DerfBackward(p *engine.Program, dx, dalpha, dshift, dy, x, alpha, shift Tensor, accX, accW bool, rounded ...Tensor) {
	const op = "DerfBackward"
	half := roundedCopy(rounded)
	half.look(op, dx)
	xv, dxv, dyv := derfRows(op, x, alpha), derfRows(op, dx, alpha), derfRows(op, dy, alpha)
	check(dxv.rows() == xv.rows() && dyv.rows() == xv.rows() && same(op, alpha, shift, dalpha, dshift) > 0, op, "dx %v, dy %v, x %v", dx,
		dy, x)
	for i, s := range spans(p, op, xv.rows(), 1, half.cut(xv.width(), xv.Ld, dxv.Ld, dyv.words(dyv.Ld))...) {
		x, dx, dy, chunk := xv.piece(s), dxv.piece(s), dyv.piece(s), chunkRows(p, s.n)
		partA := Temp(p, "derf dalpha", ceilDiv(s.n, chunk), x.width())
		partS := Temp(p, "derf dshift", ceilDiv(s.n, chunk), x.width())
		push := struct{ Rows, Cols, LdDX, OffDX, LdDY, OffDY, LdX, OffX, Chunk uint32 }{
			uint32(s.n), uint32(x.width()), dx.stride(), dx.offset(), dy.stride(), dy.offset(), x.stride(), x.offset(), uint32(chunk)}
		u := columnFours(p, append(rounded, dy), x.width(), dx.Ld, dx.Off, dy.Ld, dy.Off, x.Ld, x.Off)
		checkHalves(op, u, append(rounded, dy, dx, x)...)
		copy, format := half.part(s, x.width())
		downColumns(p, "derf_bwd", s.n, x.width()/int(u), chunk, 30*float64(s.n*x.width()), push,
			[]uint32{flag(accX), u, uint32(dy.Precision), rowsAtOnce(p), format},
			dx.Update(accX), partA.Write(), partS.Write(), dy.read(), x.Read(), alpha.Read(), shift.Read(), copy)
		colSums(p, accW || i > 0, columnSum{dalpha, partA.byRows(op, 1)}, columnSum{dshift, partS.byRows(op, 1)})
	}
}
