// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// Add is y = a + b, element by element. y may be a or b.
func Add(p *engine.Program, y, a, b Tensor) {
	flat(p, "Add", func(n int, t []Tensor) {
		elementwise(p, "add", n, struct{ Count uint32 }{uint32(n)}, []uint32{vec(p, n)}, t[0].Write(), t[1].Read(), t[2].Read())
	}, y, a, b)
}
