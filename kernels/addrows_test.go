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
