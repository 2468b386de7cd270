// SPDX-License-Identifier: MIT

package kernels

import (
	"jitvk/engine"
	"jitvk/kernels/ref"
)

// FoldOptions say how images are cut into patches and put together.
type FoldOptions struct {
	Patch, Stride int     // pixels; patches overlap where Stride < Patch
	ChannelLast   bool    // element order within a token (i,j,c) rather than (c,i,j), which is PyTorch's F.unfold
	Window        *Tensor // (P): each patch is weighted by w[i] w[j]; nil: 1
	InvNorm       *Tensor // (ImgH,ImgW): each pixel is weighted by this; nil: 1
}

// Unfold cuts images into tokens: tok[patch][c,i,j] = w[i] w[j] InvNorm[y,x] img[c,y,x], y = py Stride + i and
// x = px Stride + j. tok (B,T,3PP), patches in row-major order; img (B,3,ImgH,ImgW). It is Fold's adjoint, so its backward.
func Unfold(p *engine.Program, tok, img Tensor, o FoldOptions) {
	fold(p, "Unfold", tok, img, tok, img, o)
}

// Fold puts tokens together into images: img[c,y,x] = InvNorm[y,x] times the sum over the patches that cover (y,x) of
// w[i] w[j] tok[patch][c,i,j]. img (B,3,ImgH,ImgW), tok (B,T,3PP). It is Unfold's adjoint, so its backward.
func Fold(p *engine.Program, img, tok Tensor, o FoldOptions) { fold(p, "Fold", img, tok, tok, img, o) }

// fold records either; both shaders have the same constants.
func fold(p *engine.Program, op string, dst, src, tok, img Tensor, o FoldOptions) {
	ok := len(img.Shape) == 4 && img.Shape[1] == 3 && len(tok.Shape) == 3 && img.Contiguous() && tok.Contiguous() && o.Patch > 0 &&
		o.Stride > 0 && o.Stride <= o.Patch
	check(ok, op, "tok %v, img %v, patch %d, stride %d: contiguous (B,T,3PP) and (B,3,ImgH,ImgW) wanted, 0 < stride <= patch", tok, img,
		o.Patch, o.Stride)
	b, h, w := img.Shape[0], img.Shape[2], img.Shape[3]
	tiled := h >= o.Patch && w >= o.Patch && (h-o.Patch)%o.Stride == 0 && (w-o.Patch)%o.Stride == 0
	check(tiled, op, "img %v: patch %d, stride %d do not tile it: (size - patch) %% stride must be 0", img, o.Patch, o.Stride)
	t := ((h-o.Patch)/o.Stride + 1) * ((w-o.Patch)/o.Stride + 1)
	width := 3 * o.Patch * o.Patch
	check(tok.Shape[0] == b && tok.Shape[1] == t && tok.Shape[2] == width, op, "tok %v, img %v: %d tokens of %d wanted", tok, img, t, width)
	window, inv := engine.Nothing, engine.Nothing
	if o.Window != nil {
		check(o.Window.Contiguous() && o.Window.Len() == o.Patch, op, "window %v, (%d) wanted", o.Window, o.Patch)
		window = o.Window.Read()
	}
	if o.InvNorm != nil {
		check(o.InvNorm.Contiguous() && o.InvNorm.Len() == h*w, op, "invNorm %v, (%d,%d) wanted", o.InvNorm, h, w)
		inv = o.InvNorm.Read()
	}
	spec := []uint32{uint32(o.Patch), uint32(o.Stride), uint32(h), uint32(w), flag(o.ChannelLast), flag(o.Window != nil),
		flag(o.InvNorm != nil)}
	shader, elems := "fold", 3*h*w
	if op == "Unfold" {
		shader, elems = "unfold", t*width
	}
	for _, s := range spans(p, op, b, 1, t*width, 3*h*w) {
		push := struct{ Images, Blocks uint32 }{uint32(s.n), uint32(ceilDiv(elems, blockSize(p)))}
		blocked(p, shader, s.n, elems, push, spec, piece(dst, s, dst.Len()/b).Write(), piece(src, s, src.Len()/b).Read(), window, inv)
	}
}

// Hann returns the symmetric Hann window of a patch (PyTorch's hann_window with periodic=False). Its ends are 0.
func Hann(patch int) []float32 {
	w := make([]float32, patch)
	for i, v := range ref.Hann(patch) {
		w[i] = float32(v)
	}
	return w
}

// FoldNorm returns FoldOptions.InvNorm for a window: 1 / max(Σ w[i] w[j], 1e-8) at each pixel, the sum over the patches
// that cover it, as moomou's post normalises its overlapping patches. The result is (imgH,imgW).
func FoldNorm(window []float32, imgH, imgW, stride int) []float32 {
	wide := make([]float64, len(window))
	for i, v := range window {
		wide[i] = float64(v)
	}
	out := make([]float32, imgH*imgW)
	for i, v := range ref.FoldNorm(wide, imgH, imgW, stride) {
		out[i] = float32(v)
	}
	return out
}
