// SPDX-License-Identifier: MIT

package ref

// NormRoPE is RoPE of RMSNorm, each head's d floats a row. x, y (B,T,H,D); w (D); rstd (B,T,H); cos, sin (T, D/2).
func NormRoPE[F float32 | float64](y, rstd, x, w, cos, sin []F, b, t, h, d int, eps F, interleaved bool) {
	RMSNorm(y, rstd, x, w, b*t*h, d, eps)
	RoPE(y, y, cos, sin, b, t, h, d, false, interleaved)
}

// NormRoPEBackward is RMSNormBackward of dy turned back. dx, dy, x (B,T,H,D); dw, w (D); rstd (B,T,H); cos, sin (T, D/2).
func NormRoPEBackward[F float32 | float64](dx, dw, dy, x, w, rstd, cos, sin []F, b, t, h, d int, interleaved bool) {
	g := make([]F, len(dy))
	RoPE(g, dy, cos, sin, b, t, h, d, true, interleaved)
	RMSNormBackward(dx, dw, g, x, w, rstd, b*t*h, d)
}
