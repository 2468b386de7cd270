// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"slices"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
)

// TestStoredInHalves: what a kernel stores in halves is what it stores in fp32, rounded, to the bit: contiguous and with rows
// apart, in pieces, and with the workgroups of a GPU.
func TestStoredInHalves(t *testing.T) {
	const eps = 1e-6
	for name, record := range map[string]func(p *engine.Program, y, rstd, x, a, b, scale, shift kernels.Tensor){
		"RMSNorm": func(p *engine.Program, y, rstd, x, a, _, _, _ kernels.Tensor) { kernels.RMSNorm(p, y, rstd, x, a, eps) },
		"Derf":    func(p *engine.Program, y, _, x, a, b, _, _ kernels.Tensor) { kernels.Derf(p, y, x, a, b) },
		"NormModulate": func(p *engine.Program, y, rstd, x, a, _, scale, shift kernels.Tensor) {
			kernels.NormModulate(p, y, rstd, x, a, scale, shift, eps)
		},
	} {
		for _, s := range [][3]int{{1, 1, 4}, {3, 5, 36}, {2, 192, 128}} {
			for _, precision := range []kernels.Precision{kernels.FP16, kernels.BF16} {
				for i, l := range []layout{packed, {gap: 8, off: 4}, packed, packed} {
					if name == "NormModulate" {
						l = packed
					}
					t.Run(fmt.Sprintf("%s/%v/%v/%d", name, s, precision, i), func(t *testing.T) {
						B, T, C := s[0], s[1], s[2]
						h, rnd := kerneltest.New(t), kerneltest.NewRand(uint64(C))
						in := func(shape ...int) kernels.Tensor {
							return h.Input(rnd.Normal((kernels.Tensor{Shape: shape}).Len()), shape...)
						}
						x, a, b, scale, shift, rstd := in(B, T, C), in(C), in(C), in(B, C), in(B, C), h.Output(B, T)
						want, got := rowsOfPrecision(h, kernels.FP32, nil, l, C, B, T, C), rowsOfPrecision(h, precision, nil, l, C, B, T, C)
						if i == 2 && T == 192 {
							kernels.SetRangeLimit(int64(4 * B * T * C / 2))
							defer kernels.SetRangeLimit(0)
						}
						kernels.SetGPUShapes(i == 3)
						defer kernels.SetGPUShapes(false)
						h.Run(func(p *engine.Program) {
							record(p, want.Tensor, rstd, x, a, b, scale, shift)
							record(p, got.Tensor, rstd, x, a, b, scale, shift)
						})
						if !slices.Equal(got.values(t), kerneltest.Rounded(precision, want.values(t))) {
							t.Error("not the fp32 values, rounded")
						}
					})
				}
			}
		}
	}
}

// TestHalvesAreRefused: an op that knows no halves panics where it is given some, as an input and as an output; so do products of
// another precision, and rows that are no multiples of four.
func TestHalvesAreRefused(t *testing.T) {
	h := kerneltest.New(t)
	floats, half, brain, odd := h.Output(4, 8), h.OutputIn(kernels.FP16, 4, 8), h.OutputIn(kernels.BF16, 8, 8),
		h.OutputIn(kernels.FP16, 4, 6)
	c, cHalf, bias := h.Output(4, 4), h.OutputIn(kernels.FP16, 4, 4), h.OutputIn(kernels.FP16, 4)
	for want, f := range map[string]func(p *engine.Program){
		"a tensor in halves: (32 fp16)":   func(p *engine.Program) { kernels.Add(p, floats, floats, half) },
		"a tensor in halves: (32 fp16), ": func(p *engine.Program) { kernels.SiLU(p, half, floats) },
		"a tensor in halves: (4,8 fp16)":  func(p *engine.Program) { kernels.ColSum(p, h.Output(8), half, false) },
		"RMSNorm: (4,6 fp16)":             func(p *engine.Program) { kernels.RMSNorm(p, odd, h.Output(4), h.Output(4, 6), h.Output(6), 1) },
		"MatMul: c (4,4), a (4,8 fp16)": func(p *engine.Program) {
			kernels.MatMul(p, c, half, floats,
				kernels.MatMulOptions{TransB: true})
		},
		"DerfRoPE: (2,8 fp16)": func(p *engine.Program) { // pairs of a quarter of 8 floats are no fours
			x, y := h.OutputIn(kernels.FP16, 1, 2, 1, 8), h.OutputIn(kernels.FP16, 1, 2, 1, 8)
			kernels.DerfRoPE(p, y, x, h.Output(8), h.Output(8), h.Output(2, 4), h.Output(2, 4), false)
		},
	} {
		t.Run(want, func(t *testing.T) { mustPanic(t, "kernels: "+want, f) })
	}
	for name, f := range map[string]func(p *engine.Program){
		"another precision": func(p *engine.Program) {
			kernels.MatMul(p, floats, floats, brain, kernels.MatMulOptions{Precision: kernels.FP16})
		},
		"not in fours": func(p *engine.Program) {
			kernels.MatMul(p, c, odd, odd, kernels.MatMulOptions{TransB: true, Precision: kernels.FP16})
		},
		"c that is added to": func(p *engine.Program) {
			kernels.MatMul(p, cHalf, floats, floats, kernels.MatMulOptions{TransB: true, Precision: kernels.FP16, Accumulate: true})
		},
		"bias": func(p *engine.Program) {
			kernels.MatMul(p, c, floats, floats, kernels.MatMulOptions{TransB: true, Bias: &bias})
		},
	} {
		t.Run(name, func(t *testing.T) { mustPanic(t, "kernels: ", f) })
	}
}
