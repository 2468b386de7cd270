// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// PrependTokens puts K tokens before an image's own, its embedding at K learned positions: y[b] = [e[b] + pos[k] for k < K; x[b]]
// (JiT's in-context class tokens, arXiv 2511.13720). y (B,K+T,C), x (B,T,C), e (B,C), pos (K,C).
func PrependTokens(p *engine.Program, y, x, e, pos Tensor) {
	b, k, _, c := prependShape("PrependTokens", y, x)
	prependCheck("PrependTokens", y, e, pos, b, k, c)
	prepend(p, "PrependTokens", y, x, &e, &pos, false)
}

// PrependTokensBackward is dx = dy[:,K:], de[b] = Σ over k of dy[b,k] and dpos[k] = Σ over b of dy[b,k]; accX, accE and
// accPos add to what they hold. dx (B,T,C), de (B,C), dpos (K,C), dy (B,K+T,C).
func PrependTokensBackward(p *engine.Program, dx, de, dpos, dy Tensor, accX, accE, accPos bool) {
	const op = "PrependTokensBackward"
	b, k, t, c := prependShape(op, dy, dx)
	prependCheck(op, dy, de, dpos, b, k, c)
	drop(p, op, dx, dy, accX)
	for _, s := range spans(p, op, b, 1, (k+t)*c, c) {
		sumTokens(p, de.byRows(op, 1).piece(s), piece(dy, s, (k+t)*c), k, (k+t)*c, c, 0, accE)
	}
	ColSum(p, dpos, Tensor{Shape: []int{b, k * c}, Range: dy.Range, Ld: (k + t) * c, Precision: dy.Precision}, accPos)
}

// DropTokens is y = x[:,K:]: an image's tokens without the first K. y (B,T,C), x (B,K+T,C).
func DropTokens(p *engine.Program, y, x Tensor) { drop(p, "DropTokens", y, x, false) }

// DropTokensBackward is dx = [0; dy], K zero tokens before an image's own; acc adds to dx. dx (B,K+T,C), dy (B,T,C).
func DropTokensBackward(p *engine.Program, dx, dy Tensor, acc bool) {
	prepend(p, "DropTokensBackward", dx, dy, nil, nil, acc)
}

// prepend puts tokens before x: zeros where there is no e.
func prepend(p *engine.Program, op string, y, x Tensor, e, pos *Tensor, acc bool) {
	b, k, t, c := prependShape(op, y, x)
	for _, s := range spans(p, op, b, 1, (k+t)*c, t*c, c) {
		push := struct{ Rows, Tokens, Added, Width, Blocks uint32 }{uint32(s.n * (k + t)), uint32(k + t), uint32(k), uint32(c),
			uint32(ceilDiv(c, blockSize(p)))}
		embedding, positions := engine.Nothing, engine.Nothing
		if e != nil {
			embedding, positions = piece(*e, s, c).Read(), pos.Read()
		}
		blocked(p, "prependtokens", s.n*(k+t), c, push, []uint32{flag(e == nil), flag(acc)},
			piece(y, s, (k+t)*c).Update(acc), piece(x, s, t*c).Read(), embedding, positions)
	}
}

// drop leaves the first tokens of x out.
func drop(p *engine.Program, op string, y, x Tensor, acc bool) {
	b, k, t, c := prependShape(op, x, y)
	for _, s := range spans(p, op, b, 1, (k+t)*c, t*c) {
		push := struct{ Images, Count, Dropped, Blocks uint32 }{uint32(s.n), uint32(t * c), uint32(k * c),
			uint32(ceilDiv(t*c, blockSize(p)))}
		blocked(p, "droptokens", s.n, t*c, push, []uint32{flag(acc), vec(p, t*c, k*c)}, piece(y, s, t*c).Update(acc),
			piece(x, s, (k+t)*c).Read())
	}
}

// prependShape checks long (B,K+T,C) against short (B,T,C).
func prependShape(op string, long, short Tensor) (b, k, t, c int) {
	ok := len(long.Shape) == 3 && len(short.Shape) == 3 && long.Contiguous() && short.Contiguous() && short.Len() > 0 &&
		long.Shape[0] == short.Shape[0] && long.Shape[1] > short.Shape[1] && long.Shape[2] == short.Shape[2]
	check(ok, op, "%v and %v: contiguous (B,K+T,C) and (B,T,C) wanted", long, short)
	return short.Shape[0], long.Shape[1] - short.Shape[1], short.Shape[1], short.Shape[2]
}

func prependCheck(op string, y, e, pos Tensor, b, k, c int) {
	ok := len(e.Shape) == 2 && len(pos.Shape) == 2 && e.Contiguous() && pos.Contiguous() &&
		e.Shape[0] == b && e.Shape[1] == c && pos.Shape[0] == k && pos.Shape[1] == c
	check(ok, op, "tokens %v, embedding %v, positions %v: contiguous (B,K+T,C), (B,C) and (K,C) wanted, K %d", y, e, pos, k)
}
