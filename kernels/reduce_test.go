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

func TestGradNorm(t *testing.T) {
	for _, n := range []int{1, 7, 8, 1023, 1024, 1025, 200_003, 1<<20 + 1025} {
		rnd := kerneltest.NewRand(uint64(n))
		g := rnd.Normal(n)
		g[n-1] = 1000 // a last element that is missed shows
		got := stable(t, 1<<18, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			gt, norm := h.Input(g, n), h.Output(1)
			return func(p *engine.Program) { kernels.GradNorm(p, norm, gt) }, []kernels.Tensor{norm}
		})
		kerneltest.Equal(t, "norm", got[0], []float64{ref.Norm(kerneltest.Widen(g))}, 2e-6)
	}
	h := kerneltest.New(t)
	zero, norm := h.Input(make([]float32, 2000), 2000), h.Output(1)
	h.Run(func(p *engine.Program) { kernels.GradNorm(p, norm, zero) })
	if got := h.Floats(norm)[0]; got != 0 {
		t.Errorf("norm of zeros is %v", got)
	}
}

// TestGradNormInPieces: a gradient in pieces of any lengths has the norm of all of it.
func TestGradNormInPieces(t *testing.T) {
	h, rnd := kerneltest.New(t), kerneltest.NewRand(4)
	var pieces []kernels.Tensor
	sum := 0.0
	for _, n := range []int{64, 100_032, 1024, 70_016, 64} {
		values := rnd.Normal(n)
		for _, v := range values {
			sum += float64(v) * float64(v)
		}
		pieces = append(pieces, h.Input(values, n))
	}
	norm := h.Output(1)
	h.Run(func(p *engine.Program) { kernels.GradNorm(p, norm, pieces...) })
	kerneltest.Equal(t, "norm", h.Floats(norm), []float64{math.Sqrt(sum)}, 1e-6)
}
