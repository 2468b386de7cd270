// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// EMA is ema = d ema + (1 - d) w, d the step's EMADecay[which], over flat tensors of one length.
func EMA(p *engine.Program, ema, w, step Tensor, which int) {
	check(which == 0 || which == 1, "EMA", "average %d, 0 or 1 wanted", which)
	flat(p, "EMA", func(n int, t []Tensor) {
		elementwise(p, "ema", n, struct{ Count uint32 }{uint32(n)}, []uint32{uint32(which), vec(p, n)}, t[0].ReadWrite(), t[1].Read(),
			step.stepBuffer("EMA"))
	}, ema, w)
}
