// SPDX-License-Identifier: MIT

package ref

import "math"

// RMSNorm is y = w x rstd with rstd = 1/sqrt(mean(x²) + eps), row by row. x, y (N,C); w (C); rstd (N).
// QK-norm is the same over (B·T·H, D).
func RMSNorm[F float32 | float64](y, rstd, x, w []F, n, c int, eps F) {
	for r := range n {
		x, y := x[r*c:][:c], y[r*c:][:c]
		var sum F
		for _, v := range x {
			sum += v * v
		}
		rstd[r] = F(1 / math.Sqrt(float64(sum/F(c)+eps)))
		for i, v := range x {
			y[i] = w[i] * v * rstd[r]
		}
	}
}

// RMSNormBackward is dx = rstd (w dy - x dot) with dot = rstd²/C Σ dy w x of the row, and dw = Σ over rows of dy x rstd.
// dx, dy, x (N,C); dw, w (C); rstd (N).
func RMSNormBackward[F float32 | float64](dx, dw, dy, x, w, rstd []F, n, c int) {
	clear(dw)
	for r := range n {
		x, dy, dx, s := x[r*c:][:c], dy[r*c:][:c], dx[r*c:][:c], rstd[r]
		var dot F
		for i := range c {
			dot += dy[i] * w[i] * x[i]
		}
		dot *= s * s / F(c)
		for i := range c {
			dx[i] = s * (w[i]*dy[i] - x[i]*dot)
			dw[i] += dy[i] * x[i] * s
		}
	}
}
