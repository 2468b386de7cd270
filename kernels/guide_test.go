// SPDX-License-Identifier: MIT

package kernels_test

import (
	"math"
	"slices"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

func TestGuide(t *testing.T) {
	for i, n := range flatSizes {
		rnd := kerneltest.NewRand(uint64(n))
		u, none := rnd.Normal(n), rnd.Normal(n)
		w := []float32{0, 1, 2.9, 30, -1}[i%5]
		got := stable(t, limit(n), func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			ut, nt, step := h.Input(u, n), h.Input(none, n), h.Step(kernels.Step{Guidance: w})
			return func(p *engine.Program) { kernels.Guide(p, ut, nt, step) }, []kernels.Tensor{ut}
		})[0]
		if w == 0 && !slices.Equal(got, none) || w == 1 && !slices.Equal(got, u) {
			t.Errorf("n = %d: a weight of %g gives neither prediction exactly", n, w)
		}
		want, terms := kerneltest.Widen(u), make([]float64, n)
		ref.Guide(want, kerneltest.Widen(none), float64(w))
		for j := range terms {
			terms[j] = math.Abs(float64((1-w)*none[j])) + math.Abs(float64(w*u[j]))
		}
		kerneltest.Check(t, kerneltest.Case{Name: "u"}, got, want, kerneltest.Bound{Rel: 1e-6, Terms: terms})
	}
}
