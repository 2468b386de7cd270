// SPDX-License-Identifier: MIT

package kernels_test

import (
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

func TestTimeEmbedding(t *testing.T) {
	for _, c := range []struct {
		b, e int
		o    kernels.TimeEmbeddingOptions
	}{
		{1, 2, kernels.TimeEmbeddingOptions{Scale: 1}},
		{33, 64, kernels.TimeEmbeddingOptions{Scale: 1000, MaxPeriod: 10000}},                 // the post
		{5, 256, kernels.TimeEmbeddingOptions{Scale: 1, CosFirst: true}},                      // JiT
		{301, 126, kernels.TimeEmbeddingOptions{Scale: 1000, MaxPeriod: 1e6, CosFirst: true}}, // the largest angles
		{2, 8192, kernels.TimeEmbeddingOptions{Scale: 1000, MaxPeriod: 10}},
	} {
		tau := kerneltest.NewRand(uint64(c.e)).Uniform(c.b, 0, 1)
		tau[0] = 1
		got := stable(t, 0, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			e, taut := h.Output(c.b, c.e), h.Input(tau, c.b)
			return func(p *engine.Program) { kernels.TimeEmbedding(p, e, taut, c.o) }, []kernels.Tensor{e}
		})
		if c.o.MaxPeriod == 0 {
			c.o.MaxPeriod = 10000
		}
		e := make([]float64, c.b*c.e)
		ref.TimeEmbedding(e, kerneltest.Widen(tau), c.e/2, float64(c.o.Scale), float64(c.o.MaxPeriod), c.o.CosFirst)
		kerneltest.Equal(t, "e", got[0], e, 1e-6)
	}
}
