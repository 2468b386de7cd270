// SPDX-License-Identifier: MIT

package ref

import "math"

// Sum is Σ x.
func Sum[F float32 | float64](x []F) F {
	var sum F
	for _, v := range x {
		sum += v
	}
	return sum
}

// Norm is sqrt(Σ x²).
func Norm[F float32 | float64](x []F) F {
	var sum F
	for _, v := range x {
		sum += v * v
	}
	return F(math.Sqrt(float64(sum)))
}
