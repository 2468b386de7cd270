// SPDX-License-Identifier: MIT

package ref

import "math"

// sigmoid is 1/(1 + e^-x).
func sigmoid[F float32 | float64](x F) F { return F(1 / (1 + math.Exp(-float64(x)))) }

// SiLU is y = x sigmoid(x), element by element.
func SiLU[F float32 | float64](y, x []F) {
	for i, v := range x {
		y[i] = v * sigmoid(v)
	}
}

// SiLUBackward is dx = dy s (1 + x (1 - s)), s = sigmoid(x).
func SiLUBackward[F float32 | float64](dx, dy, x []F) {
	for i, v := range x {
		s := sigmoid(v)
		dx[i] = dy[i] * s * (1 + v*(1-s))
	}
}
