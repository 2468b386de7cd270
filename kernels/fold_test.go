// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

func TestFold(t *testing.T) {
	for _, c := range []struct {
		b     int
		g     ref.Patches
		hann  bool
		limit int64
	}{
		{1, ref.Patches{ImgH: 1, ImgW: 1, Patch: 1, Stride: 1}, false, 1024},
		{2, ref.Patches{ImgH: 8, ImgW: 8, Patch: 4, Stride: 4}, false, 1024},
		{3, ref.Patches{ImgH: 32, ImgW: 32, Patch: 4, Stride: 4, ChannelLast: true}, false, 16384},
		{65, ref.Patches{ImgH: 13, ImgW: 9, Patch: 5, Stride: 2}, true, 1 << 19},
		{2, ref.Patches{ImgH: 28, ImgW: 40, Patch: 16, Stride: 12, ChannelLast: true}, true, 1 << 16},
		{3, ref.Patches{ImgH: 7, ImgW: 11, Patch: 3, Stride: 1}, true, 0},
		{1, ref.Patches{ImgH: 256, ImgW: 256, Patch: 16, Stride: 12}, true, 0}, // blog256
	} {
		t.Run(fmt.Sprintf("%+v", c.g), func(t *testing.T) {
			g := c.g
			down, across := g.Tokens()
			tokens, width, pixels := down*across, 3*g.Patch*g.Patch, g.ImgH*g.ImgW
			rnd := kerneltest.NewRand(uint64(pixels))
			img, tok := rnd.Normal(c.b*3*pixels), rnd.Normal(c.b*tokens*width)
			var window, inv []float32
			if c.hann {
				window = rnd.Uniform(g.Patch, 0.1, 1) // no symmetry that would hide an exchange
				inv = kernels.FoldNorm(window, g.ImgH, g.ImgW, g.Stride)
			}
			got := stable(t, c.limit, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
				imgt, tokt := h.Input(img, c.b, 3, g.ImgH, g.ImgW), h.Input(tok, c.b, tokens, width)
				folded, unfolded := h.Output(c.b, 3, g.ImgH, g.ImgW), h.Output(c.b, tokens, width)
				o := kernels.FoldOptions{Patch: g.Patch, Stride: g.Stride, ChannelLast: g.ChannelLast}
				if c.hann {
					w, n := h.Input(window, g.Patch), h.Input(inv, g.ImgH, g.ImgW)
					o.Window, o.InvNorm = &w, &n
				}
				return func(p *engine.Program) {
					kernels.Fold(p, folded, tokt, o)
					kernels.Unfold(p, unfolded, imgt, o)
				}, []kernels.Tensor{folded, unfolded}
			})
			folded, unfolded := make([]float64, len(img)), make([]float64, len(tok))
			var w64, n64 []float64
			if c.hann {
				w64, n64 = kerneltest.Widen(window), kerneltest.Widen(inv)
			}
			ref.Fold(folded, kerneltest.Widen(tok), w64, n64, c.b, g)
			ref.Unfold(unfolded, kerneltest.Widen(img), w64, n64, c.b, g)
			kerneltest.Equal(t, "fold", got[0], folded, 1e-5)
			kerneltest.Equal(t, "unfold", got[1], unfolded, 1e-5)
		})
	}
}

// The post's way of putting overlapping patches together gives an image back from its own patches, except for its border,
// where the Hann window is 0.
func TestFoldOfUnfold(t *testing.T) {
	const size, patch, stride, tokens = 40, 16, 12, 9
	img := kerneltest.NewRand(1).Normal(3 * size * size)
	h := kerneltest.New(t)
	window, inv := h.Input(kernels.Hann(patch), patch), h.Input(kernels.FoldNorm(kernels.Hann(patch), size, size, stride), size, size)
	in, tok, out := h.Input(img, 1, 3, size, size), h.Output(1, tokens, 3*patch*patch), h.Output(1, 3, size, size)
	h.Run(func(p *engine.Program) {
		kernels.Unfold(p, tok, in, kernels.FoldOptions{Patch: patch, Stride: stride})
		kernels.Fold(p, out, tok, kernels.FoldOptions{Patch: patch, Stride: stride, Window: &window, InvNorm: &inv})
	})
	want := kerneltest.Widen(img)
	for i := range want {
		if y, x := i/size%size, i%size; y == 0 || x == 0 || y == size-1 || x == size-1 {
			want[i] = 0
		}
	}
	kerneltest.Equal(t, "image", h.Floats(out), want, 1e-5)
}
