// SPDX-License-Identifier: MIT

package kernels_test

import (
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

func TestImages(t *testing.T) {
	for _, c := range []struct {
		b, h, w int
		flip    bool
		limit   int64
	}{
		{1, 1, 1, false, 0}, {3, 5, 7, true, 0}, {10, 8, 8, true, 3072}, {300, 3, 5, true, 47000}, {16, 32, 32, true, 1 << 16},
		{2, 64, 67, false, 0}, {70001, 1, 2, true, 1 << 20},
	} {
		rnd := kerneltest.NewRand(uint64(c.b))
		bytes := make([]uint8, c.b*c.h*c.w*3)
		words := make([]uint32, (len(bytes)+3)/4)
		for i := range bytes {
			bytes[i] = uint8(rnd.Uint32())
			words[i/4] |= uint32(bytes[i]) << (8 * (i % 4))
		}
		got := stable(t, c.limit, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
			x, bt, step := h.Output(c.b, 3, c.h, c.w), h.Words(words), h.Step(testStep)
			return func(p *engine.Program) {
				kernels.Images(p, x, bt, step, kernels.ImagesOptions{Flip: c.flip, Stream: kernels.StreamFlip})
			}, []kernels.Tensor{x}
		})
		want := make([]float64, len(bytes))
		random := ref.Random{Seed: testStep.Seed, Step: testStep.Step, Image0: testStep.Image0, Stream: kernels.StreamFlip}
		ref.Images(want, bytes, c.b, c.h, c.w, c.flip, random)
		kerneltest.Equal(t, "x", got[0], want, 1e-6)
		flipped := 0
		for i := range c.b {
			flipped += int(random.Words(0, i)[0] & 1)
		}
		if c.b >= 10 && (flipped < c.b/5 || flipped > c.b*4/5) {
			t.Errorf("%d of %d coins show heads", flipped, c.b)
		}
	}
}
