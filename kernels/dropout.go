// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// Dropout is y = x / (1 - prob) where a random number is at least prob, and 0 elsewhere; acc adds to y instead (Srivastava et
// al., JMLR 15, 2014). On dy it is its own gradient: the numbers are Philox's, word j of image i depending only on the step
// buffer's seed and step, on Image0 + i, on j and on the stream, so the mask is drawn again and never kept. y, x (B,…); y may
// be x.
func Dropout(p *engine.Program, y, x, step Tensor, prob float32, stream uint32, acc bool) {
	check(prob >= 0 && prob < 1, "Dropout", "probability %g: at least 0 and below 1 wanted", prob)
	b, width := x.Shape[0], same("Dropout", y, x)/x.Shape[0]
	for _, s := range spans(p, "Dropout", b, 1, width) {
		push := struct {
			Images, Count, Blocks, First, Stream uint32
			Prob, Scale                          float32
		}{uint32(s.n), uint32(width), uint32(ceilDiv(width, blockSize(p))), uint32(s.first), stream, prob, 1 / (1 - prob)}
		blocked(p, "dropout", s.n, width, push, []uint32{flag(acc), fours(width)}, piece(y, s, width).Update(acc),
			piece(x, s, width).Read(), step.stepBuffer("Dropout"))
	}
}
