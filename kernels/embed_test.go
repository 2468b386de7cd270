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

func TestEmbed(t *testing.T) {
	for _, s := range []struct {
		b, k, c int
		limit   int64
	}{
		{1, 1, 1, 256}, {130, 131, 7, 1792}, {130, 70, 1023, 1 << 18}, {17, 2, 1025, 0}, {300, 40, 64, 8192}, {32, 1001, 768, 1 << 20},
	} {
		rnd := kerneltest.NewRand(uint64(s.b))
		table, dy, before, labels := rnd.Normal(s.k*s.c), rnd.Normal(s.b*s.c), rnd.Normal(s.k*s.c), make([]uint32, s.b)
		for i := range labels {
			labels[i] = uint32(rnd.IntN(s.k))
		}
		labels[s.b-1], labels[s.b/2] = math.MaxUint32, uint32(s.k) // past the table: its last row
		got := stable(t, s.limit, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			tt, dyt, lt := h.Input(table, s.k, s.c), h.Input(dy, s.b, s.c), h.Words(labels)
			y, dtable, added := h.Output(s.b, s.c), h.Output(s.k, s.c), h.Input(before, s.k, s.c)
			return func(p *engine.Program) {
				kernels.Embed(p, y, tt, lt)
				kernels.EmbedBackward(p, dtable, dyt, lt, false)
				kernels.EmbedBackward(p, added, dyt, lt, true)
			}, []kernels.Tensor{y, dtable, added}
		})
		y, dtable := make([]float64, s.b*s.c), make([]float64, s.k*s.c)
		ref.Embed(y, kerneltest.Widen(table), labels, s.c)
		ref.EmbedBackward(dtable, kerneltest.Widen(dy), labels, s.c)
		kerneltest.Equal(t, "y", got[0], y, 0)
		kerneltest.Equal(t, "dtable", got[1], dtable, 1e-5)
		kerneltest.Equal(t, "dtable, added", got[2], sum(before, dtable), 1e-5)
	}
}

func TestEmbedMisuse(t *testing.T) {
	h := kerneltest.New(t)
	y, table, labels := h.Output(2, 3), h.Output(5, 3), h.Words([]uint32{0, 1})
	for name, f := range map[string]func(p *engine.Program){
		"another width":  func(p *engine.Program) { kernels.Embed(p, y, h.Output(5, 4), labels) },
		"too few labels": func(p *engine.Program) { kernels.Embed(p, y, table, h.Words([]uint32{0})) },
		"flat table":     func(p *engine.Program) { kernels.Embed(p, y, h.Output(15), labels) },
		"rows apart": func(p *engine.Program) {
			kernels.Embed(p, kernels.Tensor{Shape: []int{2, 3}, Range: table.Range, Ld: 4}, table, labels)
		},
		"gradient's rows": func(p *engine.Program) { kernels.EmbedBackward(p, table, h.Output(3, 3), labels, false) },
	} {
		t.Run(name, func(t *testing.T) { mustPanic(t, "kernels: Embed", f) })
	}
}
