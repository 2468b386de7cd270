// SPDX-License-Identifier: MIT

package kerneltest

import (
	"math"

	"jitvk/kernels"
	"jitvk/kernels/ref"
)

// Rounded returns x as a tensor of a precision holds it.
func Rounded(precision kernels.Precision, x []float32) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		switch out[i] = v; precision {
		case kernels.FP16:
			out[i] = float32(ref.FP16(float64(v)))
		case kernels.BF16:
			out[i] = float32(ref.BF16(float64(v)))
		}
	}
	return out
}

// Half is the inverse of Precision.FromHalf for a number that is rounded already. NaN is a quiet one.
func Half(precision kernels.Precision, v float32) uint16 {
	bits := math.Float32bits(v)
	sign, size := uint16(bits>>16&0x8000), math.Abs(float64(v))
	switch {
	case precision == kernels.BF16 && v != v:
		return 0x7fc0
	case precision == kernels.BF16:
		return uint16(bits >> 16)
	case v != v:
		return 0x7e00
	case math.IsInf(size, 1):
		return sign | 0x7c00
	case size < 0x1p-14: // subnormal numbers are multiples of 2^-24
		return sign | uint16(size*0x1p24)
	}
	const bias = 127 - 15 // of the exponent, which lies above the fraction, of whose bits fp16 keeps ten of 23
	return sign | uint16((bits&0x7fffffff)>>13-bias<<10)
}
