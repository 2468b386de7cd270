// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// NormModulate is y = w x rstd (1 + scale) + shift with rstd = 1/sqrt(mean(x²) + eps) of the row: RMSNorm and adaLN's
// modulation (Peebles and Xie, arXiv 2212.09748) in one pass. x, y (B,T,C) and w (C) contiguous; scale, shift (B,C), whose
// rows may lie apart: parts of one (B,6C) tensor. rstd (B,T). y may be in halves, as the products that read it would round it.
func NormModulate(p *engine.Program, y, rstd, x, w, scale, shift Tensor, eps float32) {
	const op = "NormModulate"
	finite(op, eps)
	B, T, C := modulateShape(op, x, w, []Tensor{y}, []Tensor{scale, shift})
	check(rstd.Contiguous() && rstd.Len() == B*T, op, "rstd %v, x %v: rstd (%d,%d) wanted", rstd, x, B, T)
	av, bv := scale.byRows(op, 1), shift.byRows(op, 1)
	wide := fours(C, av.Ld, av.Off, bv.Ld, bv.Off)
	check(y.Precision == FP32 || wide == 4, op, "y %v, x %v, scale %v, shift %v: halves want all rows in multiples of four", y, x, scale,
		shift)
	for _, s := range spans(p, op, B, 1, T*C, y.words(T*C), T, av.Ld, bv.Ld) {
		a, b := av.piece(s), bv.piece(s)
		push := struct {
			Tokens, Cols, LdScale, OffScale, LdShift, OffShift uint32
			Eps                                                float32
		}{uint32(T), uint32(C), a.stride(), a.offset(), b.stride(), b.offset(), eps}
		acrossTokens(p, "normmodulate_fwd", s.n, T, 6*float64(s.n*T*C), push, []uint32{wide, uint32(y.Precision)},
			piece(y, s, T*C).write(), piece(rstd, s, T).Write(), piece(x, s, T*C).Read(), w.Read(), a.Read(), b.Read())
	}
}

// NormModulateBackward is, with n = x rstd, e = w (1 + scale) and the row's dot = rstd²/C Σ dy e x:
//
//	dx = rstd (e dy - x dot)      dw = Σ over images and tokens of dy n (1 + scale)
//	dscale = w Σ over tokens of dy n      dshift = Σ over tokens of dy
//
// Shapes as for NormModulate; rows of dscale and dshift may lie apart, too. accM is for dscale and dshift. dy may be in halves. dx shares
// no memory with dy or x.
func NormModulateBackward(p *engine.Program, dx, dw, dscale, dshift, dy, x, w, scale, rstd Tensor, accX, accW, accM bool) {
	const op = "NormModulateBackward"
	B, T, C := modulateShape(op, x, w, []Tensor{dx, dy}, []Tensor{dscale, dshift, scale})
	check(dw.Contiguous() && dw.Len() == C && rstd.Contiguous() && rstd.Len() == B*T, op,
		"dw %v, rstd %v, x %v: dw (%d) and rstd (%d,%d) wanted", dw, rstd, x, C, B, T)
	av, dav, dbv := scale.byRows(op, 1), dscale.byRows(op, 1), dshift.byRows(op, 1)
	chunk := chunkRows(p, T)
	chunks := ceilDiv(T, chunk)
	for i, s := range spans(p, op, B, 1, T*C, T, av.Ld, dav.Ld, dbv.Ld) {
		a, da, db, dx, dy, x, rstd := av.piece(s), dav.piece(s), dbv.piece(s), piece(dx, s, T*C), piece(dy, s, T*C), piece(x, s, T*C),
			piece(rstd, s, T)
		dot := Temp(p, "normmodulate dot", s.n, T)
		pushDot := struct{ Tokens, Cols, LdScale, OffScale uint32 }{uint32(T), uint32(C), a.stride(), a.offset()}
		wide := fours(C, a.Ld, a.Off)
		checkHalves(op, wide, dy)
		acrossTokens(p, "normmodulate_bwd_dot", s.n, T, 4*float64(s.n*T*C), pushDot, []uint32{wide, uint32(dy.Precision)}, dot.Write(),
			dy.read(), x.Read(), w.Read(), a.Read(), rstd.Read())

		normPart, dyPart := Temp(p, "normmodulate dy n", s.n, chunks, C), Temp(p, "normmodulate dy", s.n, chunks, C)
		push := struct{ Tokens, Cols, LdScale, OffScale, Chunk uint32 }{uint32(T), uint32(C), a.stride(), a.offset(), uint32(chunk)}
		u := columnFours(p, []Tensor{dy}, C, a.Ld, a.Off)
		checkHalves(op, u, dy)
		perImage(p, "normmodulate_bwd", C, u, chunks, s.n, 8*float64(s.n*T*C), push,
			[]uint32{flag(accX), u, uint32(dy.Precision), rowsAtOnce(p)},
			dx.Update(accX), normPart.Write(), dyPart.Write(), dy.read(), x.Read(), w.Read(), a.Read(), rstd.Read(), dot.Read())

		dwPart := Temp(p, "normmodulate dw", s.n, C)
		pushSum := struct{ Chunks, Cols, LdDScale, OffDScale, LdDShift, OffDShift, LdScale, OffScale uint32 }{
			uint32(chunks), uint32(C), da.stride(), da.offset(), db.stride(), db.offset(), a.stride(), a.offset()}
		u = columnVec(p, C, a.Ld, a.Off, da.Ld, da.Off, db.Ld, db.Off)
		perImage(p, "normmodulate_bwd_sum", C, u, s.n, 1, 2*float64(s.n*chunks*C), pushSum, []uint32{flag(accM), u}, da.Update(accM),
			db.Update(accM),
			dwPart.Write(),
			normPart.Read(), dyPart.Read(), w.Read(), a.Read())
		colSum(p, dw, dwPart.byRows(op, 1), accW || i > 0)
	}
}

// modulateShape returns the shape of x after a look that like has tensors like it, and rows tensors (B,C).
func modulateShape(op string, x, w Tensor, like, rows []Tensor) (b, t, c int) {
	check(len(x.Shape) == 3 && w.Contiguous() && w.Len() == x.Shape[2], op, "x %v, w %v: (B,T,C) and (C) wanted", x, w)
	same(op, append(like, x)...)
	b, t, c = x.Shape[0], x.Shape[1], x.Shape[2]
	for _, r := range rows {
		check(len(r.Shape) == 2 && r.Shape[0] == b && r.Shape[1] == c, op, "%v for x %v: (%d,%d) wanted", r, x, b, c)
	}
	return b, t, c
}

// acrossTokens is acrossRows for a shader whose workgroups stay within an image: that of gl_WorkGroupID.y. Constants from 2 on are
// the shader's own.
func acrossTokens(p *engine.Program, shader string, images, tokens int, flops float64, push any, spec []uint32, bind ...engine.Binding) {
	rows, local, shared := rowsPerGroup(p)
	p.Dispatch(engine.Dispatch{Shader: shader, Spec: append([]uint32{uint32(local), flag(shared)}, spec...),
		Groups: [3]int{ceilDiv(tokens, rows), images, 1},
		Push:   push, Bind: bind, FLOPs: flops})
}

// perImage records a shader whose invocations each own vec of width columns; what gl_WorkGroupID.y and z count is its own. Constants
// from 1 on are the shader's own.
func perImage(p *engine.Program, shader string, width int, vec uint32, y, z int, flops float64, push any, spec []uint32,
	bind ...engine.Binding) {
	local := columnsPerGroup(p)
	p.Dispatch(engine.Dispatch{Shader: shader, Spec: append([]uint32{uint32(local)}, spec...),
		Groups: [3]int{ceilDiv(width, local*int(vec)), y, z},
		Push:   push, Bind: bind, FLOPs: flops})
}
