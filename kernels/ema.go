// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// EMA is ema = d ema + (1 - d) w, d the step's EMADecay, over flat tensors of one length.
func EMA(p *engine.Program, ema, w, step Tensor) {
	flat(p, "EMA", func(n int, t []Tensor) {
		elementwise(p, "ema", n, struct{ Count uint32 }{uint32(n)}, nil, t[0].ReadWrite(), t[1].Read(), step.Read())
	}, ema, w)
}
