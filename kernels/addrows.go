// SPDX-License-Identifier: MIT

package kernels

import (
	"math"

	"jitvk/engine"
)

// AddRows is y[b] = x[b] + table, one table for every image: fixed positions added to tokens. y, x (B,T,C), table (T,C). y may
// be x.
func AddRows(p *engine.Program, y, x, table Tensor) {
	n := same("AddRows", y, x)
	ok := len(x.Shape) == 3 && len(table.Shape) == 2 && table.Contiguous() && table.Shape[0] == x.Shape[1] && table.Shape[1] == x.Shape[2]
	check(ok, "AddRows", "x %v, table %v: (B,T,C) and contiguous (T,C) wanted", x, table)
	b, width := x.Shape[0], n/x.Shape[0]
	for _, s := range spans(p, "AddRows", b, 1, width) {
		push := struct{ Images, Count, Blocks uint32 }{uint32(s.n), uint32(width), uint32(ceilDiv(width, blockSize(p)))}
		blocked(p, "addrows", s.n, width, push, []uint32{vec(p, width)}, piece(y, s, width).Write(), piece(x, s, width).Read(),
			table.Read())
	}
}

// SinCosPositions returns the fixed positions (grid², C) that JiT adds to its tokens, which lie in rows: half of the channels
// tell the column and half the row, each as [sin | cos] of position * 10000^(-k/(C/4)), k < C/4 (the table of He et al.,
// arXiv 2111.06377, whose code puts the column first). C is a multiple of 4.
func SinCosPositions(grid, C int) []float32 {
	check(grid > 0 && C > 0 && C%4 == 0, "SinCosPositions", "grid %d, width %d: a multiple of 4 wanted", grid, C)
	n := C / 4
	sin, cos := angles(grid, n, 10000, func(i int) float64 { return float64(i) })
	table := make([]float32, 0, grid*grid*C)
	for row := range grid {
		for col := range grid {
			for _, i := range []int{col * n, row * n} {
				table = append(append(table, sin[i:i+n]...), cos[i:i+n]...)
			}
		}
	}
	return table
}

// angles returns the sines and cosines, each (count, n), of the angles at(i) * base^(-k/n), computed in float64: a table of positions
// has a row for each of count² tokens, and they share these.
func angles(count, n int, base float64, at func(i int) float64) (sin, cos []float32) {
	frequencies := make([]float64, n)
	for k := range frequencies {
		frequencies[k] = math.Pow(base, -float64(k)/float64(n))
	}
	for i := range count {
		for _, f := range frequencies {
			s, c := math.Sincos(at(i) * f)
			sin, cos = append(sin, float32(s)), append(cos, float32(c))
		}
	}
	return sin, cos
}
