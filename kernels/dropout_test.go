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

func TestDropout(t *testing.T) {
	random := ref.Random{Seed: testStep.Seed, Step: testStep.Step, Image0: testStep.Image0, Stream: kernels.StreamDropout + 2}
	for i, c := range imageSizes {
		prob := []float32{0.2, 0, 0.9}[i%3]
		rnd := kerneltest.NewRand(uint64(c.n))
		x, before := rnd.Normal(c.b*c.n), rnd.Normal(c.b*c.n)
		got := stable(t, c.limit, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			xt, y, inPlace, added, step := h.Input(x, c.b, c.n), h.Output(c.b, c.n), h.Input(x, c.b, c.n), h.Input(before, c.b, c.n),
				h.Step(testStep)
			return func(p *engine.Program) {
				kernels.Dropout(p, y, xt, step, prob, random.Stream, false)
				kernels.Dropout(p, inPlace, inPlace, step, prob, random.Stream, false)
				kernels.Dropout(p, added, xt, step, prob, random.Stream, true)
			}, []kernels.Tensor{y, inPlace, added}
		})
		want := make([]float64, len(x))
		ref.Dropout(want, kerneltest.Widen(x), c.n, float64(prob), random)
		kerneltest.Check(t, kerneltest.Case{Name: "y"}, got[0], want, kerneltest.Bound{Rel: 1e-6}) // exactly 0 where it is 0
		kerneltest.Check(t, kerneltest.Case{Name: "y in place"}, got[1], want, kerneltest.Bound{Rel: 1e-6})
		kerneltest.Equal(t, "y, added", got[2], sum(before, want), 1e-5)
	}
}

// TestDropoutShare: the share of zeros is what was asked for, every float of a quad and every site has a mask of its own, and an
// image's mask does not depend on where its batch begins.
func TestDropoutShare(t *testing.T) {
	const b, n, prob = 8, 10000, 0.3
	ones := slices.Repeat([]float32{1}, b*n)
	mask := func(b int, s kernels.Step, site uint32) []float32 {
		return stable(t, 0, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			x, y, step := h.Input(ones[:b*n], b, n), h.Output(b, n), h.Step(s)
			return func(p *engine.Program) { kernels.Dropout(p, y, x, step, prob, kernels.StreamDropout+site, false) }, []kernels.Tensor{y}
		})[0]
	}
	whole, other := mask(b, testStep, 0), mask(b, testStep, 1)
	within := func(name string, zeros, of int, share float64) {
		t.Helper()
		if off := float64(zeros) - share*float64(of); math.Abs(off) > 4*math.Sqrt(share*(1-share)*float64(of)) { // four standard deviations
			t.Errorf("%s: %d of %d", name, zeros, of)
		}
	}
	zeros, both := [4]int{}, 0
	for i, v := range whole {
		if v == 0 {
			zeros[i%4]++
			if other[i] == 0 {
				both++
			}
		} else if math.Abs(float64(v)-1/(1-prob)) > 1e-6 {
			t.Fatalf("1 becomes %v", v)
		}
	}
	for k, z := range zeros {
		within([]string{"first", "second", "third", "fourth"}[k]+" floats of quads", z, b*n/4, prob)
	}
	within("zeros at both sites", both, b*n, prob*prob)
	late := testStep
	late.Image0 += 5
	if !slices.Equal(mask(b-5, late, 0), whole[5*n:]) {
		t.Error("images 5 to 7 differ in a batch that starts there")
	}
}

func TestDropoutMisuse(t *testing.T) {
	h := kerneltest.New(t)
	x, step := h.Output(2, 3), h.Step(testStep)
	for _, prob := range []float32{-0.1, 1, float32(math.NaN())} {
		mustPanic(t, "kernels: Dropout: ", func(p *engine.Program) { kernels.Dropout(p, x, x, step, prob, 0, false) })
	}
	mustPanic(t, "kernels: Dropout: ", func(p *engine.Program) { kernels.Dropout(p, h.Output(6, 2), x, step, 0.5, 0, false) })
}
