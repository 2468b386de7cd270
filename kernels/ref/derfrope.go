// SPDX-License-Identifier: MIT

package ref

// DerfRoPE is RoPE of Derf. x, y (B,T,H,D); alpha, shift (H*D); cos, sin (T, D/2).
func DerfRoPE[F float32 | float64](y, x, alpha, shift, cos, sin []F, b, t, h, d int, interleaved bool) {
	Derf(y, x, alpha, shift, b*t, h*d)
	RoPE(y, y, cos, sin, b, t, h, d, false, interleaved)
}

// DerfRoPEBackward is DerfBackward of dy turned back. dx, dy, x (B,T,H,D); dalpha, dshift, alpha, shift (H*D); cos, sin (T, D/2).
func DerfRoPEBackward[F float32 | float64](dx, dalpha, dshift, dy, x, alpha, shift, cos, sin []F, b, t, h, d int, interleaved bool) {
	g := make([]F, len(dy))
	RoPE(g, dy, cos, sin, b, t, h, d, true, interleaved)
	DerfBackward(dx, dalpha, dshift, g, x, alpha, shift, b*t, h*d)
}
