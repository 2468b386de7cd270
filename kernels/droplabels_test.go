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

// dropped runs DropLabels on labels 0, 1, 2, ….
func dropped(t *testing.T, b int, s kernels.Step, none uint32, prob float32) (got, want []uint32) {
	t.Helper()
	labels := make([]uint32, b)
	for i := range labels {
		labels[i] = uint32(i)
	}
	floats := stable(t, 0, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
		kept, lt, step := h.Output(b), h.Words(labels), h.Step(s)
		return func(p *engine.Program) {
			kernels.DropLabels(p, kept, lt, step, none, prob, kernels.StreamLabels)
		}, []kernels.Tensor{kept}
	})[0]
	want = make([]uint32, b)
	ref.DropLabels(want, labels, none, float64(prob),
		ref.Random{Seed: s.Seed, Step: s.Step, Image0: s.Image0, Stream: kernels.StreamLabels})
	return bitsOf(floats), want
}

func TestDropLabels(t *testing.T) {
	const none = 5000
	for _, b := range []int{1, 7, 8, 9, 256, 4099} {
		for _, prob := range []float32{0, 0.1, 1} {
			got, want := dropped(t, b, testStep, none, prob)
			if !slices.Equal(got, want) {
				t.Errorf("%d labels, probability %g: not what the reference drops", b, prob)
			}
			n := 0
			for _, l := range got {
				if l == none {
					n++
				}
			}
			// Four standard deviations of a binomial.
			if off := float64(n) - float64(prob)*float64(b); math.Abs(off) > 4*math.Sqrt(float64(prob*(1-prob))*float64(b)) {
				t.Errorf("%d of %d labels dropped with probability %g", n, b, prob)
			}
		}
	}
	// An image's fate is its own, wherever a batch begins.
	whole, _ := dropped(t, 40, testStep, none, 0.5)
	late := testStep
	late.Image0 += 30
	tail, _ := dropped(t, 10, late, none, 0.5)
	for i, l := range tail {
		if (l == none) != (whole[30+i] == none) {
			t.Errorf("image %d differs in a batch that starts at 30", 30+i)
		}
	}
}

// TestDropLabelsEdge: with the probability equal to an image's own number the label stays; one step above, it goes.
func TestDropLabelsEdge(t *testing.T) {
	r := ref.Random{Seed: testStep.Seed, Step: testStep.Step, Image0: testStep.Image0, Stream: kernels.StreamLabels}
	u := float32(ref.Uniform(r.Words(0, 0)[0]))
	for prob, want := range map[float32]uint32{u: 0, u + 1.0/(1<<24): 7} {
		if got, _ := dropped(t, 1, testStep, 7, prob); got[0] != want {
			t.Errorf("number %v, probability %v: label 0 becomes %d, want %d", u, prob, got[0], want)
		}
	}
}

func TestDropLabelsMisuse(t *testing.T) {
	h := kerneltest.New(t)
	labels, step := h.Words([]uint32{0, 1}), h.Step(testStep)
	for _, prob := range []float32{-0.1, 1.1, float32(math.NaN())} {
		mustPanic(t, "kernels: DropLabels: ", func(p *engine.Program) { kernels.DropLabels(p, labels, labels, step, 2, prob, 0) })
	}
	mustPanic(t, "kernels: DropLabels: ", func(p *engine.Program) { kernels.DropLabels(p, h.Output(3), labels, step, 2, 0, 0) })
}
