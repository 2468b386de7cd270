// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// RMSNorm is y = w x rstd with rstd = 1/sqrt(mean(x²) + eps) (Zhang and Sennrich, arXiv 1910.07467). x, y (N…,C) with
// w (C), or heads (B,T,H,D) with w (D), each head's D floats a row; rows or tokens may lie apart. rstd is one float a
// normalised row, (N…) or (B,T,H). y may be in halves, as the products that read it would round it.
func RMSNorm(p *engine.Program, y, rstd, x, w Tensor, eps float32) {
	finite("RMSNorm", eps)
	xv, heads := headRows("RMSNorm", x, w.Len())
	yv, _ := headRows("RMSNorm", y, w.Len())
	wide := fours(w.Len(), xv.Ld, xv.Off, yv.Ld, yv.Off)
	check(y.Precision == FP32 || wide == 4, "RMSNorm", "y %v, x %v, w %v: halves want all rows in multiples of four", y, x, w)
	check(w.Contiguous() && rstd.Contiguous() && yv.rows() == xv.rows() && yv.width() == xv.width() && rstd.Len() == xv.rows()*heads,
		"RMSNorm", "y %v, rstd %v, x %v, w %v: y like x and rstd (%d) wanted", y, rstd, x, w, xv.rows()*heads)
	for _, s := range spans(p, "RMSNorm", xv.rows(), 1, xv.Ld, yv.words(yv.Ld), heads) {
		x, y, rows := xv.piece(s), yv.piece(s), s.n*heads
		push := struct {
			Rows, Heads, Cols, LdX, OffX, LdY, OffY uint32
			Eps                                     float32
		}{uint32(rows), uint32(heads), uint32(w.Len()), x.stride(), x.offset(), y.stride(), y.offset(), eps}
		acrossRows(p, "rmsnorm_fwd", rows, 4*float64(rows*w.Len()), push, []uint32{wide, uint32(y.Precision)},
			y.write(), piece(rstd, s, heads).Write(), x.Read(), w.Read())
	}
}

// RMSNormBackward is dx = rstd (w dy - x dot) with dot = rstd²/C Σ dy w x of the row, and dw = Σ over rows of dy x rstd,
// dw in two passes. Shapes as for RMSNorm, dx and dy like x, dw like w; rows may lie apart. dy may be in halves. dx shares no memory
// with dy or x. rounded, where it is given, gets dx, too, in halves: for products, which would round it.
func RMSNormBackward(p *engine.Program, dx, dw, dy, x, w, rstd Tensor, accX, accW bool, rounded ...Tensor) {
	const op = "RMSNormBackward"
	half := roundedCopy(rounded)
	half.look(op, dx)
	xv, heads := headRows(op, x, w.Len())
	dxv, _ := headRows(op, dx, w.Len())
	dyv, _ := headRows(op, dy, w.Len())
	check(w.Contiguous() && dw.Contiguous() && rstd.Contiguous() && dw.Len() == w.Len() && rstd.Len() == xv.rows()*heads &&
		dxv.rows() == xv.rows() && dxv.width() == xv.width() && dyv.rows() == xv.rows() && dyv.width() == xv.width(),
		op, "dx %v, dw %v, dy %v, x %v, w %v, rstd %v: dx and dy like x, dw like w, rstd (%d) wanted", dx, dw, dy, x, w, rstd,
		xv.rows()*heads)
	for i, s := range spans(p, op, xv.rows(), 1, half.cut(xv.width(), xv.Ld, dxv.Ld, dyv.words(dyv.Ld), heads)...) {
		x, dx, dy, rstd, rows := xv.piece(s), dxv.piece(s), dyv.piece(s), piece(rstd, s, heads), s.n*heads
		dot := Temp(p, "rmsnorm dot", rows)
		pushDot := struct{ Rows, Heads, Cols, LdDY, OffDY, LdX, OffX uint32 }{
			uint32(rows), uint32(heads), uint32(w.Len()), dy.stride(), dy.offset(), x.stride(), x.offset()}
		wide := fours(w.Len(), dy.Ld, dy.Off, x.Ld, x.Off)
		checkHalves(op, wide, dy, x)
		acrossRows(p, "rmsnorm_bwd_dot", rows, 3*float64(rows*w.Len()), pushDot, []uint32{wide, uint32(dy.Precision)},
			dot.Write(), dy.read(), x.Read(), w.Read(), rstd.Read())

		chunk := chunkRows(p, rows)
		part := Temp(p, "rmsnorm dw", ceilDiv(rows, chunk), w.Len())
		push := struct{ Rows, Heads, Cols, LdDX, OffDX, LdDY, OffDY, LdX, OffX, Chunk uint32 }{
			uint32(rows), uint32(heads), uint32(w.Len()), dx.stride(), dx.offset(), dy.stride(), dy.offset(), x.stride(), x.offset(),
			uint32(chunk)}
		u := columnFours(p, append(rounded, dy), w.Len(), dx.Ld, dx.Off, dy.Ld, dy.Off, x.Ld, x.Off)
		checkHalves(op, u, append(rounded, dy, dx)...)
		copy, format := half.part(s, x.width())
		downColumns(p, "rmsnorm_bwd", rows, w.Len()/int(u), chunk, 7*float64(rows*w.Len()), push,
			[]uint32{flag(accX), u, uint32(dy.Precision), rowsAtOnce(p), format},
			dx.Update(accX), part.Write(), dy.read(), x.Read(), w.Read(), rstd.Read(), dot.Read(), copy)
		colSum(p, dw, part.byRows(op, 1), accW || i > 0)
	}
}
