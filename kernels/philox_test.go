// SPDX-License-Identifier: MIT

package kernels_test

import (
	"slices"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

var testStep = kernels.Step{Seed: 0x0123456789abcdef, Step: 7, Image0: 1000}

func normal(t *testing.T, b, n int, s kernels.Step, stream uint32, limit int64) []float32 {
	t.Helper()
	return stable(t, limit, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
		x, step := h.Output(b, n), h.Step(s)
		return func(p *engine.Program) { kernels.Normal(p, x, step, 1, stream) }, []kernels.Tensor{x}
	})[0]
}

func TestNormal(t *testing.T) {
	for _, c := range append(imageSizes, struct {
		b, n  int
		limit int64
	}{3, 4*1024 + 5, 0}) {
		x := make([]float64, c.b*c.n)
		ref.Normal(x, c.b, c.n, ref.Random{Seed: testStep.Seed, Step: testStep.Step, Image0: testStep.Image0, Stream: 3})
		kerneltest.Equal(t, "x", normal(t, c.b, c.n, testStep, 3, c.limit), x, 1e-6)
	}
}

// An image's numbers depend on its index and not on how the batch is cut; all else makes other numbers.
func TestNormalKeys(t *testing.T) {
	const n = 30
	whole := normal(t, 4, n, testStep, kernels.StreamNoise, 0)
	late := testStep
	late.Image0 += 3
	if !slices.Equal(normal(t, 1, n, late, kernels.StreamNoise, 0), whole[3*n:]) {
		t.Error("image 3 of a batch differs from image 0 of a batch that starts there")
	}
	for _, c := range []struct {
		name   string
		change func(*kernels.Step)
		stream uint32
	}{
		{"step", func(s *kernels.Step) { s.Step++ }, kernels.StreamNoise},
		{"low half of the seed", func(s *kernels.Step) { s.Seed++ }, kernels.StreamNoise},
		{"high half of the seed", func(s *kernels.Step) { s.Seed += 1 << 32 }, kernels.StreamNoise},
		{"stream", func(*kernels.Step) {}, kernels.StreamSample},
	} {
		s := testStep
		c.change(&s)
		for i, v := range normal(t, 4, n, s, c.stream, 0) {
			if v == whole[i] {
				t.Errorf("another %s: element %d is the same", c.name, i)
				break
			}
		}
	}
}

func TestLogitNormal(t *testing.T) {
	for _, b := range []int{1, 8, 9, 300} {
		got := stable(t, 0, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			tau, step := h.Output(b), h.Step(testStep)
			return func(p *engine.Program) { kernels.LogitNormal(p, tau, step, -0.75, 0.875, kernels.StreamTau) }, []kernels.Tensor{tau}
		})
		want := make([]float64, b)
		ref.LogitNormal(want, -0.75, 0.875,
			ref.Random{Seed: testStep.Seed, Step: testStep.Step, Image0: testStep.Image0, Stream: kernels.StreamTau})
		kerneltest.Equal(t, "tau", got[0], want, 1e-6)
	}
}
