// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// DropLabels is kept = labels, each replaced by none with probability prob, so that one network learns with and without a
// label (classifier-free guidance: Ho and Salimans, arXiv 2207.12598). Whether image i loses its label depends only on the
// step buffer's seed and step, on Image0 + i and on the stream. kept, labels (B), 32-bit integers.
func DropLabels(p *engine.Program, kept, labels, step Tensor, none uint32, prob float32, stream uint32) {
	check(prob >= 0 && prob <= 1, "DropLabels", "probability %g: 0 to 1 wanted", prob)
	b := same("DropLabels", kept, labels)
	push := struct {
		Images, None uint32
		Prob         float32
		Stream       uint32
	}{uint32(b), none, prob, stream}
	single(p, "droplabels", b, push, nil, kept.Write(), labels.Read(), step.stepBuffer("DropLabels"))
}
