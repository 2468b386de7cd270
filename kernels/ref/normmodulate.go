// SPDX-License-Identifier: MIT

package ref

// NormModulate is y = w x rstd (1 + scale) + shift with rstd = 1/sqrt(mean(x²) + eps) of the row: RMSNorm, then adaLN's
// modulation. x, y (B,T,C); w (C); scale, shift (B,C); rstd (B,T).
func NormModulate[F float32 | float64](y, rstd, x, w, scale, shift []F, b, t, c int, eps F) {
	RMSNorm(y, rstd, x, w, b*t, c, eps)
	for i := range y {
		at := i/(t*c)*c + i%c // of the image's row of scale and shift
		y[i] = y[i]*(1+scale[at]) + shift[at]
	}
}

// NormModulateBackward is, with n = x rstd, e = w (1 + scale) and the row's dot = rstd²/C Σ dy e x: dx = rstd (e dy - x dot),
// dw = Σ over images and tokens of dy n (1 + scale), dscale = w Σ over tokens of dy n, dshift = Σ over tokens of dy.
// dx, dy, x (B,T,C); dw, w (C); dscale, dshift, scale (B,C); rstd (B,T).
func NormModulateBackward[F float32 | float64](dx, dw, dscale, dshift, dy, x, w, scale, rstd []F, b, t, c int) {
	clear(dw)
	clear(dscale)
	clear(dshift)
	for r := range b * t {
		x, dy, dx, s := x[r*c:][:c], dy[r*c:][:c], dx[r*c:][:c], rstd[r]
		scale, dscale, dshift := scale[r/t*c:][:c], dscale[r/t*c:][:c], dshift[r/t*c:][:c]
		var dot F
		for i := range c {
			dot += dy[i] * w[i] * (1 + scale[i]) * x[i]
		}
		dot *= s * s / F(c)
		for i := range c {
			dx[i] = s * (w[i]*(1+scale[i])*dy[i] - x[i]*dot)
			dw[i] += dy[i] * x[i] * s * (1 + scale[i])
			dscale[i] += w[i] * dy[i] * x[i] * s
			dshift[i] += dy[i]
		}
	}
}
