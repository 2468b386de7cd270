// SPDX-License-Identifier: MIT

package kernels_test

import (
	"math"
	"slices"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

// TestCast: every way to round, to the bit, NaN and infinities included, and pieces of what a binding holds.
func TestCast(t *testing.T) {
	for _, precision := range []kernels.Precision{kernels.FP16, kernels.BF16} {
		// nan's upper half is infinity's
		inf, nan, ones := float32(math.Inf(1)), math.Float32frombits(0x7f800001), math.Float32frombits(0x7fffffff)
		values := append([]float32{inf, -inf, nan, -nan, ones, -ones, 65520, -65520, math.MaxFloat32, 0x1p-25}, roundingValues(4096)...)
		// devices may flush these
		values = slices.DeleteFunc(values, func(v float32) bool { return v != 0 && math.Abs(float64(v)) < 0x1p-126 })
		for _, n := range []int{4, 8, 1020, 4096, 4100} {
			x := values[:n]
			got := stable(t, limit(n), func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
				xt, yt := h.Input(x, n), h.OutputIn(precision, n)
				return func(p *engine.Program) { kernels.Cast(p, yt, xt) }, []kernels.Tensor{yt}
			})
			want := make([]float64, n)
			ref.Cast(want, kerneltest.Widen(x), rounding(precision))
			for i, v := range got[0] {
				if w := float32(want[i]); v != w && (v == v || w == w) {
					t.Fatalf("%v: %x is rounded to %x, want %x", precision, x[i], v, w)
				}
			}
		}
	}
}

func TestCastMisuse(t *testing.T) {
	h := kerneltest.New(t)
	x, y := h.Output(4, 6), h.OutputIn(kernels.FP16, 4, 6)
	for name, f := range map[string]func(p *engine.Program){
		"Cast: contiguous":       func(p *engine.Program) { kernels.Cast(p, h.OutputIn(kernels.FP16, 4, 4), x) },
		"Cast: y (6,4), x (6,4)": func(p *engine.Program) { kernels.Cast(p, x, x) },
		"Cast: y (4,4 fp16), x (4,4 ld 6 off 0)": func(p *engine.Program) {
			kernels.Cast(p, h.OutputIn(kernels.FP16, 4, 4), kernels.Tensor{Shape: []int{4, 4}, Range: x.Range, Ld: 6})
		},
		"Cast: y (2,3 fp16)": func(p *engine.Program) {
			kernels.Cast(p, kernels.Tensor{Shape: []int{2, 3}, Range: y.Range, Precision: kernels.FP16}, h.Output(2, 3))
		},
		"Cast: y (6,4 fp16), x (6,4 fp16)": func(p *engine.Program) { kernels.Cast(p, y, y) },
	} {
		t.Run(name, func(t *testing.T) { mustPanic(t, "kernels: "+name, f) })
	}
}
