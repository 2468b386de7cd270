// SPDX-License-Identifier: MIT

package kernels_test

import (
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

func TestPrependTokens(t *testing.T) {
	for _, s := range []struct {
		b, k, t, c int
		limit      int64
	}{
		{1, 1, 1, 1, 256}, {3, 2, 5, 7, 8192}, {130, 8, 9, 33, 1 << 18}, {2, 32, 256, 768, 1 << 20}, {7001, 1, 2, 3, 1 << 17},
		{3, 1, 2, 1025, 1 << 20},
	} {
		rnd := kerneltest.NewRand(uint64(s.b))
		n, k := s.b*s.t*s.c, s.k+s.t
		x, e, pos, dy := rnd.Normal(n), rnd.Normal(s.b*s.c), rnd.Normal(s.k*s.c), rnd.Normal(s.b*k*s.c)
		beforeX, beforeE, beforePos, beforeL := rnd.Normal(n), rnd.Normal(s.b*s.c), rnd.Normal(s.k*s.c), rnd.Normal(s.b*k*s.c)
		// dpos is a sum over the batch, whose bits depend on how ColSum cuts it: it comes last, and from runs without a cut.
		run := func(outputs int) func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			return func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
				xt, et, post, dyt := h.Input(x, s.b, s.t, s.c), h.Input(e, s.b, s.c), h.Input(pos, s.k, s.c), h.Input(dy, s.b, k, s.c)
				y, kept, dlong := h.Output(s.b, k, s.c), h.Output(s.b, s.t, s.c), h.Output(s.b, k, s.c)
				dx, de, dpos := h.Output(s.b, s.t, s.c), h.Output(s.b, s.c), h.Output(s.k, s.c)
				sumX, sumE, sumPos, sumL := h.Input(beforeX, s.b, s.t, s.c), h.Input(beforeE, s.b, s.c), h.Input(beforePos, s.k, s.c),
					h.Input(beforeL, s.b, k, s.c)
				return func(p *engine.Program) {
					kernels.PrependTokens(p, y, xt, et, post)
					kernels.DropTokens(p, kept, y)
					kernels.PrependTokensBackward(p, dx, de, dpos, dyt, false, false, false)
					kernels.PrependTokensBackward(p, sumX, sumE, sumPos, dyt, true, true, true)
					kernels.DropTokensBackward(p, dlong, xt, false)
					kernels.DropTokensBackward(p, sumL, xt, true)
				}, []kernels.Tensor{y, kept, dx, de, sumX, sumE, dlong, sumL, dpos, sumPos}[:outputs]
			}
		}
		stable(t, s.limit, run(8))
		got := stable(t, 0, run(10))
		wide := kerneltest.Widen
		y, dlong, dx, de, dpos := make([]float64, s.b*k*s.c), make([]float64, s.b*k*s.c), make([]float64, n), make([]float64, len(e)),
			make([]float64, len(pos))
		ref.PrependTokens(y, wide(x), wide(e), wide(pos), s.b, s.k, s.t, s.c)
		ref.PrependTokensBackward(dx, de, dpos, wide(dy), s.b, s.k, s.t, s.c)
		ref.DropTokensBackward(dlong, wide(x), s.b, s.k, s.t, s.c)
		for i, want := range [][]float64{y, wide(x), dx, de, sum(beforeX, dx), sum(beforeE, de), dlong, sum(beforeL, dlong), dpos,
			sum(beforePos, dpos)} {
			name := []string{"y", "kept", "dx", "de", "dx, added", "de, added", "dlong", "dlong, added", "dpos", "dpos, added"}[i]
			kerneltest.Equal(t, name, got[i], want, 1e-5)
		}
	}
}

func TestPrependTokensMisuse(t *testing.T) {
	h := kerneltest.New(t)
	long, x, e, pos := h.Output(2, 5, 4), h.Output(2, 3, 4), h.Output(2, 4), h.Output(2, 4)
	for name, f := range map[string]func(p *engine.Program){
		"PrependTokens: no token":            func(p *engine.Program) { kernels.PrependTokens(p, x, x, e, pos) },
		"PrependTokens: positions of others": func(p *engine.Program) { kernels.PrependTokens(p, long, x, e, h.Output(3, 4)) },
		"PrependTokens: embedding of others": func(p *engine.Program) { kernels.PrependTokens(p, long, x, h.Output(3, 4), pos) },
		"PrependTokensBackward: dpos": func(p *engine.Program) {
			kernels.PrependTokensBackward(p, x, e, h.Output(1, 4), long, false, false, false)
		},
		"DropTokens: longer":          func(p *engine.Program) { kernels.DropTokens(p, long, x) },
		"DropTokens: another width":   func(p *engine.Program) { kernels.DropTokens(p, h.Output(2, 3, 5), long) },
		"DropTokensBackward: shorter": func(p *engine.Program) { kernels.DropTokensBackward(p, x, long, false) },
	} {
		t.Run(name, func(t *testing.T) { mustPanic(t, "kernels: "+name[:10], f) })
	}
}
