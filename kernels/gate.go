// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// Gate is y[b,t] = r[b,t] + g[b] x[b,t]: a branch x joins the residual stream r, each of its channels weighed by the image's
// own gate (adaLN-Zero: Peebles and Xie, arXiv 2212.09748). y, r, x (B,T,C); g (B,C), whose rows may lie apart. y may be r or x.
func Gate(p *engine.Program, y, r, x, g Tensor) {
	gv, b, t, c := gateShape("Gate", g, y, r, x)
	for _, s := range spans(p, "Gate", b, 1, t*c, gv.ld) {
		g, w := gv.piece(s), newTokenColumns(p, s.n, t, c)
		w.record(p, "gate_fwd", g, nil, piece(y, s, t*c).Write(), piece(r, s, t*c).Read(), piece(x, s, t*c).Read(), g.Read())
	}
}

// GateBackward is dx = g dy and dg[b] = Σ over tokens of dy x, the sum in two passes; accX adds to dx, accG to dg. The
// gradient of r is dy itself. Shapes as for Gate; rows of dg may lie apart.
func GateBackward(p *engine.Program, dx, dg, dy, x, g Tensor, accX, accG bool) {
	const op = "GateBackward"
	gv, b, t, c := gateShape(op, g, dx, dy, x)
	dgv, _, _, _ := gateShape(op, dg, dx)
	for _, s := range spans(p, op, b, 1, t*c, gv.ld, dgv.ld) {
		g, w := gv.piece(s), newTokenColumns(p, s.n, t, c)
		part := Temp(p, "gate dg", s.n, w.chunks, c)
		w.record(p, "gate_bwd", g, []uint32{flag(accX)},
			piece(dx, s, t*c).Update(accX), part.Write(), piece(dy, s, t*c).Read(), piece(x, s, t*c).Read(), g.Read())
		sumTokens(p, dgv.piece(s), part, w.chunks, w.chunks*c, c, 0, accG)
	}
}

// gateShape checks tensors (B,T,C) against a gate (B,C).
func gateShape(op string, g Tensor, ts ...Tensor) (v rowView, b, t, c int) {
	v = viewRows(op, g, 1)
	ok := len(g.Shape) == 2
	for _, x := range ts {
		ok = ok && len(x.Shape) == 3 && x.Contiguous() && x.Shape[0] == v.rows && x.Shape[1] == ts[0].Shape[1] && x.Shape[2] == v.width
	}
	check(ok, op, "gate %v, others %v: (B,C) and contiguous (B,T,C) wanted", g, ts)
	return v, v.rows, ts[0].Shape[1], v.width
}

// tokenColumns is how the channels of images' tokens are dealt out: an invocation owns one of width channels of one of
// images for chunk tokens.
type tokenColumns struct{ images, tokens, width, chunk, chunks, local, blocks int }

func newTokenColumns(p *engine.Program, images, tokens, width int) tokenColumns {
	w := tokenColumns{images: images, tokens: tokens, width: width, chunk: chunkRows(p, tokens), local: localSize(p)}
	w.chunks, w.blocks = ceilDiv(tokens, w.chunk), ceilDiv(width, w.local)
	return w
}

// record records one of Gate's shaders.
func (w tokenColumns) record(p *engine.Program, shader string, g rowView, spec []uint32, bind ...engine.Binding) {
	push := struct{ Images, Tokens, Width, LdG, OffG, Chunk, Chunks, Blocks uint32 }{uint32(w.images), uint32(w.tokens), uint32(w.width),
		g.stride(), g.offset(), uint32(w.chunk), uint32(w.chunks), uint32(w.blocks)}
	single(p, shader, w.images*w.chunks*w.blocks*w.local, push, spec, bind...)
}
