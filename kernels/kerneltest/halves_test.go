// SPDX-License-Identifier: MIT

package kerneltest

import (
	"math"
	"testing"

	"jitvk/kernels"
	"jitvk/kernels/ref"
)

// TestHalf: all 65,536 patterns, but for the NaNs' payloads, survive the way to a number and back, and are what the reference
// takes for numbers of that precision.
func TestHalf(t *testing.T) {
	for _, precision := range []kernels.Precision{kernels.FP16, kernels.BF16} {
		round := map[kernels.Precision]func(float64) float64{kernels.FP16: ref.FP16[float64], kernels.BF16: ref.BF16[float64]}[precision]
		for i := range 1 << 16 {
			h := uint16(i)
			v := precision.FromHalf(h)
			if back := Half(precision, v); v == v && back != h || v != v && !math.IsNaN(float64(precision.FromHalf(back))) {
				t.Fatalf("%v: %#x is %v, which is %#x", precision, h, v, back)
			}
			if v == v && float32(round(float64(v))) != v {
				t.Fatalf("%v: %#x is %v, which is rounded", precision, h, v)
			}
		}
	}
	for h, want := range map[uint16]float32{0x3c00: 1, 0xc000: -2, 0x0001: 0x1p-24, 0x8400: -0x1p-14, 0x7bff: 65504,
		0x7c00: float32(math.Inf(1))} {
		if got := kernels.FP16.FromHalf(h); got != want {
			t.Errorf("fp16 %#x is %v, want %v", h, got, want)
		}
	}
	if got := kernels.BF16.FromHalf(0x3f80); got != 1 {
		t.Errorf("bf16 0x3f80 is %v, want 1", got)
	}
}
