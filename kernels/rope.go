// SPDX-License-Identifier: MIT

package kernels

import (
	"slices"

	"jitvk/engine"
)

// RoPEOptions say which way RoPE turns and which floats make a pair.
type RoPEOptions struct {
	Inverse     bool // turn back: the backward pass
	Interleaved bool // pair j is floats (2j, 2j+1); else, inside each half of the head, (i, i+D/4)
}

// RoPE turns pairs of each head's floats by angles that depend on the token's place in the image: (y0, y1) =
// (x0 cos - x1 sin, x1 cos + x0 sin) (Su et al., arXiv 2104.09864, on two axes). x, y (B,T,H,D), D a multiple of 4, tokens
// may lie apart and y may be x; cos, sin (T, D/2) from RoPETablePost or RoPETablePaper. The models' queries and keys are
// turned by the norm before it, NormRoPE or DerfRoPE; this is the plain step that BenchmarkNormRoPE holds those against.
func RoPE(p *engine.Program, y, x, cos, sin Tensor, o RoPEOptions) {
	v := ropeRows("RoPE", cos, sin, x, y)
	T, D := x.Shape[1], x.Shape[3]
	for _, s := range spans(p, "RoPE", v[0].rows(), T, v[0].Ld, v[1].Ld) {
		x, y, chunk := v[0].piece(s), v[1].piece(s), chunkRows(p, s.n)
		push := struct{ Rows, T, Pairs, Half, LdX, OffX, LdY, OffY, Chunk uint32 }{
			uint32(s.n), uint32(T), uint32(x.width() / 2), uint32(D / 2), x.stride(), x.offset(), y.stride(), y.offset(), uint32(chunk)}
		downColumns(p, "rope", s.n, x.width()/2, chunk, 3*float64(s.n*x.width()), push, []uint32{flag(o.Inverse), flag(o.Interleaved)},
			y.Write(), x.Read(), cos.Read(), sin.Read())
	}
}

// ropeRows returns the tokens of heads tensors of one shape (B,T,H,D), D a multiple of 4, after a look that the tables are
// theirs.
func ropeRows(op string, cos, sin Tensor, ts ...Tensor) (v []Tensor) {
	for _, t := range ts {
		check(len(t.Shape) == 4 && slices.Equal(t.Shape, ts[0].Shape) && t.Shape[3]%4 == 0, op,
			"%v: one shape (B,T,H,D) wanted, D a multiple of 4", ts)
		v = append(v, t.byRows(op, 2))
	}
	T, D := ts[0].Shape[1], ts[0].Shape[3]
	check(same(op, cos, sin) == T*D/2, op, "x %v, cos %v, sin %v: tables (%d,%d) wanted", ts[0], cos, sin, T, D/2)
	return v
}

// RoPETablePost returns the tables (T, D/2), T = grid², of the post's notebook: a token's position is its patch's centre in
// [-1,1], stride pixels apart; frequencies base^(-i/(D/4)), base 20000 there; the first half of the head turns by the
// column's position, the second by the row's. D is a multiple of 4.
func RoPETablePost(grid, stride, patch, imgSize, D int, base float64) (cos, sin []float32) {
	at := func(i int) float64 { return (float64(i*stride)+float64(patch)/2)/float64(imgSize)*2 - 1 }
	return ropeTable(0, grid, grid, D, base, at, func(row, col int) (first, second int) { return col, row })
}

// RoPETablePaper returns the tables (prefix + gridH*gridW, D/2) of the JiT paper's code: whole-number positions, theta 10000
// there, the first half of the head turned by the row, the second by the column; the prefix tokens are not turned.
func RoPETablePaper(gridH, gridW, D int, theta float64, prefix int) (cos, sin []float32) {
	at := func(i int) float64 { return float64(i) }
	return ropeTable(prefix, gridH, gridW, D, theta, at, func(row, col int) (first, second int) { return row, col })
}

// ropeTable turns both halves of a token's head by the angles of two of the positions at(i), which the token's row and column choose.
// Column j of a half is the angle at(i) * base^(-j/(D/4)).
func ropeTable(prefix, gridH, gridW, D int, base float64, at func(i int) float64,
	choose func(row, col int) (first, second int)) (cos, sin []float32) {
	check(D > 0 && D%4 == 0, "RoPE", "head size %d is not a multiple of 4", D)
	n := (prefix + gridH*gridW) * D / 2
	cos, sin = make([]float32, 0, n), make([]float32, 0, n)
	for range prefix * D / 2 {
		cos, sin = append(cos, 1), append(sin, 0)
	}
	half := D / 4
	sines, cosines := angles(max(gridH, gridW), half, base, at)
	for row := range gridH {
		for col := range gridW {
			first, second := choose(row, col)
			for _, i := range []int{first * half, second * half} {
				cos, sin = append(cos, cosines[i:i+half]...), append(sin, sines[i:i+half]...)
			}
		}
	}
	return cos, sin
}
