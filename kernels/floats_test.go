// SPDX-License-Identifier: MIT

package kernels_test

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"jitvk/kernels"
)

// TestFloat16: every float16 against a conversion by powers of two.
func TestFloat16(t *testing.T) {
	b := make([]byte, 2<<16)
	for i := range 1 << 16 {
		binary.LittleEndian.PutUint16(b[2*i:], uint16(i))
	}
	for i, got := range kernels.FP16.Floats(b) {
		sign, exponent, fraction := 1-2*float64(i>>15), i>>10&31, float64(i&1023)/1024
		want := sign * math.Ldexp(1+fraction, exponent-15)
		if exponent == 0 {
			want = math.Copysign(math.Ldexp(fraction, -14), sign)
		}
		if exponent == 31 {
			want = math.Inf(int(sign))
			if fraction != 0 {
				if got == got {
					t.Fatalf("%#x: %v, want NaN", i, got)
				}
				continue
			}
		}
		if math.Float64bits(float64(got)) != math.Float64bits(want) {
			t.Fatalf("%#x: %v, want %v", i, got, want)
		}
	}
}

// TestFloats: numbers survive the way to bytes and back bit for bit, little endian, and half a number is refused.
func TestFloats(t *testing.T) {
	bits := []uint32{0x3f800000, 0x80000000, 0x7f800000, 0x7fc00001, 1, 0x12345678}
	x := make([]float32, len(bits))
	for i, b := range bits {
		x[i] = math.Float32frombits(b)
	}
	data := kernels.Bytes(x)
	for i, v := range kernels.Floats(data) {
		if math.Float32bits(v) != bits[i] || binary.LittleEndian.Uint32(data[4*i:]) != bits[i] {
			t.Errorf("%#x became %#x in bytes %v", bits[i], math.Float32bits(v), data[4*i:4*i+4])
		}
	}
	if got := kernels.BF16.Floats([]byte{0x80, 0x3f, 0x00, 0xc0}); len(got) != 2 || got[0] != 1 || got[1] != -2 {
		t.Errorf("bf16: %v, want [1 -2]", got)
	}
	for says, do := range map[string]func(){
		"5 bytes": func() { kernels.Floats(make([]byte, 5)) },
		"3 bytes": func() { kernels.BF16.Floats(make([]byte, 3)) },
	} {
		func() {
			defer func() {
				if p, ok := recover().(string); !ok || !strings.Contains(p, says) {
					t.Errorf("%q does not say %q", p, says)
				}
			}()
			do()
		}()
	}
}
