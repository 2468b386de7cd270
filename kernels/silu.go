// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// SiLU is y = x sigmoid(x), element by element.
func SiLU(p *engine.Program, y, x Tensor) {
	flat(p, "SiLU", func(n int, t []Tensor) {
		elementwise(p, "silu_fwd", n, struct{ Count uint32 }{uint32(n)}, []uint32{vec(p, n)}, t[0].Write(), t[1].Read())
	}, y, x)
}

// SiLUBackward is dx = dy s (1 + x (1 - s)), s = sigmoid(x), added to dx when acc is set.
func SiLUBackward(p *engine.Program, dx, dy, x Tensor, acc bool) {
	flat(p, "SiLUBackward", func(n int, t []Tensor) {
		elementwise(p, "silu_bwd", n, struct{ Count uint32 }{uint32(n)}, []uint32{flag(acc), vec(p, n)}, t[0].Update(acc), t[1].Read(),
			t[2].Read())
	}, dx, dy, x)
}
