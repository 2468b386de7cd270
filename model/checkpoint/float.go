// SPDX-License-Identifier: MIT

package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
)

// EncodeFloat32 is the little-endian bytes of x, 4 a value.
func EncodeFloat32(x []float32) []byte {
	b := make([]byte, 4*len(x))
	for i, v := range x {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
	return b
}

// DecodeFloat32 is the values of little-endian bytes. It panics when these are not a multiple of 4.
func DecodeFloat32(b []byte) []float32 {
	if len(b)%4 != 0 {
		panic(fmt.Sprintf("checkpoint: %d bytes are no float32 values", len(b)))
	}
	x := make([]float32, len(b)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}

func decodeFloat64(b []byte) []float32 {
	x := make([]float32, len(b)/8)
	for i := range x {
		x[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
	}
	return x
}

// bfloat16 is the upper half of a float32.
func decodeBFloat16(b []byte) []float32 {
	x := make([]float32, len(b)/2)
	for i := range x {
		x[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
	}
	return x
}

// IEEE 754 binary16: sign 1, exponent 5 (bias 15), fraction 10 bits. Every value is exact in float32.
func decodeFloat16(b []byte) []float32 {
	x := make([]float32, len(b)/2)
	for i := range x {
		h := uint32(binary.LittleEndian.Uint16(b[2*i:]))
		sign, exponent, fraction := h>>15<<31, h>>10&0x1f, h&0x3ff
		switch exponent {
		case 0: // zero and subnormal: fraction * 2^-24
			x[i] = math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
		case 0x1f: // infinite and NaN
			x[i] = math.Float32frombits(sign | 0xff<<23 | fraction<<13)
		default:
			x[i] = math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
		}
	}
	return x
}
