// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// Guide is classifier-free guidance (Ho and Salimans, arXiv 2207.12598): u = (1 - w) none + w u, which is
// none + w (u - none), w from the step buffer. u is what the network predicts for a class, none what it predicts without.
// The velocity is affine in u with coefficients that are the same for both, so guiding u is guiding the velocity. u, none (B,…).
func Guide(p *engine.Program, u, none, step Tensor) {
	flat(p, "Guide", func(n int, t []Tensor) {
		push := struct{ Count uint32 }{uint32(n)}
		elementwise(p, "guide", n, push, []uint32{vec(p, n)}, t[0].ReadWrite(), t[1].Read(), step.stepBuffer("Guide"))
	}, u, none)
}
