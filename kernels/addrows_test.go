// SPDX-License-Identifier: MIT

package kernels_test

import (
	"math"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

func TestAddRows(t *testing.T) {
	for _, s := range tokenSizes {
		rnd := kerneltest.NewRand(uint64(s.t))
		x, table := rnd.Normal(s.b*s.t*s.c), rnd.Normal(s.t*s.c)
		got := stable(t, s.limit, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			xt, tt, y, inPlace := h.Input(x, s.b, s.t, s.c), h.Input(table, s.t, s.c), h.Output(s.b, s.t, s.c), h.Input(x, s.b, s.t, s.c)
			return func(p *engine.Program) {
				kernels.AddRows(p, y, xt, tt)
				kernels.AddRows(p, inPlace, inPlace, tt)
			}, []kernels.Tensor{y, inPlace}
		})
		want := make([]float64, len(x))
		ref.AddRows(want, kerneltest.Widen(x), kerneltest.Widen(table))
		kerneltest.Equal(t, "y", got[0], want, 1e-6)
		kerneltest.Equal(t, "y in place", got[1], want, 1e-6)
	}
	h := kerneltest.New(t)
	x := h.Output(2, 3, 4)
	mustPanic(t, "kernels: AddRows: ", func(p *engine.Program) { kernels.AddRows(p, x, x, h.Output(4, 3)) })
	mustPanic(t, "kernels: AddRows: ", func(p *engine.Program) { kernels.AddRows(p, h.Output(6, 4), h.Output(6, 4), h.Output(3, 4)) })
}

// TestSinCosPositions holds a few entries against the official code's table, worked out by hand: JiT-B/16, 16x16 tokens of 768.
func TestSinCosPositions(t *testing.T) {
	const grid, c = 16, 768
	table := kernels.SinCosPositions(grid, c)
	if len(table) != grid*grid*c {
		t.Fatalf("%d entries, want %d", len(table), grid*grid*c)
	}
	const row, col, k = 3, 7, 50
	at, omega := (row*grid+col)*c, math.Pow(10000, -float64(k)/(c/4))
	for name, e := range map[string]struct {
		place int
		want  float64
	}{
		"sin column": {0, math.Sin(col * omega)}, "cos column": {c / 4, math.Cos(col * omega)},
		"sin row": {c / 2, math.Sin(row * omega)}, "cos row": {3 * c / 4, math.Cos(row * omega)},
	} {
		if got := table[at+e.place+k]; math.Abs(float64(got)-e.want) > 1e-7 {
			t.Errorf("%s = %v, want %v", name, got, e.want)
		}
	}
	mustPanic(t, "kernels: SinCosPositions: ", func(*engine.Program) { kernels.SinCosPositions(4, 6) })
}

// TestPositionsBits: tables that compute each position's angles once hold the bits of the formula, entry by entry.
func TestPositionsBits(t *testing.T) {
	angle := func(at, base float64, k, n int) (sin, cos float32) {
		s, c := math.Sincos(at * math.Pow(base, -float64(k)/float64(n)))
		return float32(s), float32(c)
	}
	const grid, width, head, prefix = 21, 72, 24, 3
	positions := kernels.SinCosPositions(grid, width)
	postCos, postSin := kernels.RoPETablePost(grid, 12, 16, 256, head, 20000)
	paperCos, paperSin := kernels.RoPETablePaper(grid-4, grid, head, 10000, prefix)
	equal := func(name string, got []float32, at int, want float32) {
		t.Helper()
		if math.Float32bits(got[at]) != math.Float32bits(want) {
			t.Fatalf("%s: entry %d is %v, the formula says %v", name, at, got[at], want)
		}
	}
	centre := func(i int) float64 { return (float64(i*12)+8)/256*2 - 1 }
	for row := range grid {
		for col := range grid {
			token := row*grid + col
			for k := range width / 4 {
				for half, at := range []int{col, row} {
					sin, cos := angle(float64(at), 10000, k, width/4)
					equal("sines of positions", positions, token*width+half*width/2+k, sin)
					equal("cosines of positions", positions, token*width+half*width/2+width/4+k, cos)
				}
			}
			for j := range head / 4 {
				for half, at := range []int{col, row} {
					sin, cos := angle(centre(at), 20000, j, head/4)
					equal("the post's cosines", postCos, token*head/2+half*head/4+j, cos)
					equal("the post's sines", postSin, token*head/2+half*head/4+j, sin)
				}
				if row >= grid-4 {
					continue // the paper's grid here is not square
				}
				for half, at := range []int{row, col} {
					sin, cos := angle(float64(at), 10000, j, head/4)
					equal("the paper's cosines", paperCos, (prefix+token)*head/2+half*head/4+j, cos)
					equal("the paper's sines", paperSin, (prefix+token)*head/2+half*head/4+j, sin)
				}
			}
		}
	}
}
