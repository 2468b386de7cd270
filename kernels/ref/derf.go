// SPDX-License-Identifier: MIT

package ref

import "math"

// Derf is y[r,c] = erf(alpha[c] x[r,c] + shift[c]) (arXiv 2512.10938, in the post's form: a slope and a shift a channel).
// x, y (N,C); alpha, shift (C).
func Derf[F float32 | float64](y, x, alpha, shift []F, n, c int) {
	for r := range n {
		for i := range c {
			y[r*c+i] = F(math.Erf(float64(alpha[i]*x[r*c+i] + shift[i])))
		}
	}
}

// DerfBackward is dx = alpha g, dalpha = Σ over rows of g x, dshift = Σ g, where g = dy 2/√π exp(-(alpha x + shift)²).
// dx, dy, x (N,C); dalpha, dshift, alpha, shift (C).
func DerfBackward[F float32 | float64](dx, dalpha, dshift, dy, x, alpha, shift []F, n, c int) {
	clear(dalpha)
	clear(dshift)
	for r := range n {
		for i := range c {
			v := x[r*c+i]
			u := float64(alpha[i]*v + shift[i])
			g := dy[r*c+i] * F(2/math.SqrtPi*math.Exp(-u*u))
			dx[r*c+i] = alpha[i] * g
			dalpha[i] += g * v
			dshift[i] += g
		}
	}
}
