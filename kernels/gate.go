// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

type gatePush struct{ Images, Tokens, Width, LdG, OffG, Chunk, Chunks, Blocks uint32 }

// Gate is y[b,t] = r[b,t] + g[b] x[b,t]: a branch x joins the residual stream r, each of its channels weighed by the image's
// own gate (adaLN-Zero: Peebles and Xie, arXiv 2212.09748). y, r, x (B,T,C); g (B,C), whose rows may lie apart. y may be r or x.
func Gate(p *engine.Program, y, r, x, g Tensor) {
	gv, b, t, c := gateShape("Gate", g, y, r, x)
	for _, s := range spans(p, "Gate", b, 1, t*c, gv.Ld) {
		g := gv.piece(s)
		push, vec, n := gateColumns(p, g, t)
		single(p, "gate_fwd", n, push, []uint32{vec, rowsAtOnce(p)}, piece(y, s, t*c).Write(), piece(r, s, t*c).Read(),
			piece(x, s, t*c).Read(), g.Read())
	}
}

// GateBackward is dx = g dy and dg[b] = Σ over tokens of dy x, the sum in two passes; accX adds to dx, accG to dg. The
// gradient of r is dy itself. Shapes as for Gate; rows of dg may lie apart. dx shares no memory with dy or x.
func GateBackward(p *engine.Program, dx, dg, dy, x, g Tensor, accX, accG bool) {
	const op = "GateBackward"
	gv, b, t, c := gateShape(op, g, dx, dy, x)
	dgv, _, _, _ := gateShape(op, dg, dx)
	for _, s := range spans(p, op, b, 1, t*c, gv.Ld, dgv.Ld) {
		g := gv.piece(s)
		push, vec, n := gateColumns(p, g, t)
		chunks := int(push.Chunks)
		part := Temp(p, "gate dg", s.n, chunks, c)
		single(p, "gate_bwd", n, push, []uint32{flag(accX), vec, rowsAtOnce(p)},
			piece(dx, s, t*c).Update(accX), part.Write(), piece(dy, s, t*c).Read(), piece(x, s, t*c).Read(), g.Read())
		sumTokens(p, dgv.piece(s), part, chunks, chunks*c, c, 0, accG)
	}
}

// gateShape checks tensors (B,T,C) against a gate (B,C).
func gateShape(op string, g Tensor, ts ...Tensor) (v Tensor, b, t, c int) {
	v = g.byRows(op, 1)
	ok := len(g.Shape) == 2
	for _, x := range ts {
		ok = ok && len(x.Shape) == 3 && x.Contiguous() && x.Shape[0] == v.rows() && x.Shape[1] == ts[0].Shape[1] && x.Shape[2] == v.width()
	}
	check(ok, op, "gate %v, others %v: (B,C) and contiguous (B,T,C) wanted", g, ts)
	return v, v.rows(), ts[0].Shape[1], v.width()
}

// gateColumns deals the channels of a gate's images out to n invocations, each of which owns vec of an image for a chunk of its
// tokens.
func gateColumns(p *engine.Program, g Tensor, tokens int) (push gatePush, vec uint32, n int) {
	vec = columnFours(p, nil, g.width(), g.Ld, g.Off)
	local, chunk := localSize(p), chunkRows(p, tokens)
	chunks, blocks := ceilDiv(tokens, chunk), ceilDiv(g.width(), local*int(vec))
	return gatePush{uint32(g.rows()), uint32(tokens), uint32(g.width()), g.stride(), g.offset(), uint32(chunk), uint32(chunks),
			uint32(blocks)}, vec,
		g.rows() * chunks * blocks * local
}
