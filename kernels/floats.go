// SPDX-License-Identifier: MIT

package kernels

import (
	"encoding/binary"
	"math"
)

// How the elements of tensors lie in bytes: little endian, four or two bytes each.

// Floats returns the numbers that the memory of an fp32 tensor holds.
func Floats(data []byte) []float32 { return FP32.Floats(data) }

// Bytes is the inverse of Floats.
func Bytes(x []float32) []byte {
	data := make([]byte, 4*len(x))
	for i, v := range x {
		binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(v))
	}
	return data
}

// Floats returns the numbers that the memory of a tensor of this precision holds.
func (p Precision) Floats(data []byte) []float32 {
	size := int(p.size())
	if len(data)%size != 0 {
		check(false, "Floats", "%d bytes are no whole number of %v elements of %d bytes", len(data), p, size)
	}
	x := make([]float32, len(data)/size)
	for i := range x {
		if p == FP32 {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		} else {
			x[i] = p.FromHalf(binary.LittleEndian.Uint16(data[2*i:]))
		}
	}
	return x
}

// FromHalf returns the number that 16 bits are in fp16 or bf16. Every one of them is exact in fp32.
func (p Precision) FromHalf(h uint16) float32 {
	if p == BF16 { // the upper half of a float32
		return math.Float32frombits(uint32(h) << 16)
	}
	// IEEE 754 binary16: sign 1, exponent 5 (bias 15), fraction 10 bits; a float32 has 1, 8 (bias 127) and 23.
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0: // zero and subnormal: fraction * 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
	case 0x1f: // infinite and NaN
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
