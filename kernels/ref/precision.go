// SPDX-License-Identifier: MIT

package ref

import "math"

// FP16 rounds to what half precision can hold: to nearest, ties to even, subnormal numbers kept, infinity from 65520 on.
func FP16[F float32 | float64](x F) F { return roundTo(x, 11, -14, 65504) }

// BF16 rounds to what bfloat16 can hold: to nearest, ties to even.
func BF16[F float32 | float64](x F) F { return roundTo(x, 8, -126, 0x1.fep127) }

// roundTo rounds to a format with so many significant bits, whose smallest normal number is 2^least.
func roundTo[F float32 | float64](x F, bits, least int, largest float64) F {
	v := float64(x)
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return x
	}
	_, exp := math.Frexp(v) // |v| in [2^(exp-1), 2^exp)
	unit := math.Ldexp(1, max(exp-1, least)-bits+1)
	if v = math.RoundToEven(v/unit) * unit; math.Abs(v) > largest {
		return F(math.Inf(int(math.Copysign(1, v))))
	}
	return F(v)
}

// rounded returns what round leaves of x: x itself where round is nil.
func rounded[F float32 | float64](x []F, round func(F) F) []F {
	if round == nil {
		return x
	}
	out := make([]F, len(x))
	for i, v := range x {
		out[i] = round(v)
	}
	return out
}
