// SPDX-License-Identifier: MIT

package ref

// Gate is y[b,t] = r[b,t] + g[b] x[b,t]. y, r, x (B,T,C), g (B,C).
func Gate[F float32 | float64](y, r, x, g []F, t, c int) {
	for i := range y {
		y[i] = r[i] + g[i/(t*c)*c+i%c]*x[i]
	}
}

// GateBackward is dx = g dy and dg[b] = Σ over tokens of dy x.
func GateBackward[F float32 | float64](dx, dg, dy, x, g []F, t, c int) {
	clear(dg)
	for i := range dy {
		at := i/(t*c)*c + i%c
		dx[i] = g[at] * dy[i]
		dg[at] += dy[i] * x[i]
	}
}
