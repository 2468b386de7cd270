// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// ImagesOptions say what Images does besides converting.
type ImagesOptions struct {
	Flip   bool   // mirror each image left to right with probability one half
	Stream uint32 // of the random numbers that decide it
}

// Images turns packed pictures into floats in [-1,1]: x[i,c,y,x'] = byte[i,y,x,c] 2/255 - 1. x (B,3,ImgH,ImgW); bytes
// holds uint8 (B,ImgH,ImgW,3), tightly packed, in ceil(3 B ImgH ImgW / 4) words, the lowest byte first.
func Images(p *engine.Program, x, bytes, step Tensor, o ImagesOptions) {
	check(len(x.Shape) == 4 && x.Shape[1] == 3 && x.Contiguous() && bytes.Contiguous() && bytes.Precision == FP32 &&
		bytes.Len() == ceilDiv(x.Len(), 4), "Images",
		"x %v, bytes %v: contiguous (B,3,ImgH,ImgW) and (ceil(3 B ImgH ImgW / 4)) words wanted", x, bytes)
	b, h, w := x.Shape[0], x.Shape[2], x.Shape[3]
	width := 3 * h * w
	quantum := bindingAlign / gcd(bindingAlign, width) // images: a piece begins at a byte that can be bound
	for _, s := range spans(p, "Images", b, quantum, width) {
		push := struct{ Images, ImgH, ImgW, Blocks, First, Stream uint32 }{uint32(s.n), uint32(h), uint32(w),
			uint32(ceilDiv(h*w, blockSize(p))), uint32(s.first), o.Stream}
		words := Tensor{Shape: []int{ceilDiv(s.n*width, 4)}}
		words.Range = bytes.checked("Images").Range.Sub(int64(s.first)*int64(width), words.bytes())
		blocked(p, "images", s.n, h*w, push, []uint32{flag(o.Flip)}, piece(x, s, width).Write(), words.Read(), step.stepBuffer("Images"))
	}
}
