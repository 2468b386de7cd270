// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"slices"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

// peakRef is what Peak leaves in y for operands of a precision.
func peakRef(y []float64, info engine.Info, precision kernels.Precision, steps int) {
	if precision == kernels.FP32 {
		ref.PeakFMA(y, kernels.PeakChainsFMA, steps, kernels.PeakA, kernels.PeakB)
		return
	}
	f, _ := kernels.PeakFragment(info, precision)
	ref.PeakMatrix(y, f.M*f.N, f.K, kernels.PeakChainsMatrix, steps, kernels.PeakFill, kernels.PeakFill)
}

func TestPeak(t *testing.T) {
	for _, precision := range []kernels.Precision{kernels.FP32, kernels.FP16} {
		f, unit := kernels.PeakFragment(kerneltest.Device(t).Info(), precision)
		for _, n := range flatSizes {
			for _, steps := range []int{8, 200} {
				t.Run(fmt.Sprintf("%v/%d/%d", precision, n, steps), func(t *testing.T) {
					shape, cut := []int{n}, limit(n)
					if precision == kernels.FP16 {
						if !unit {
							t.Skip("no matrix unit")
						}
						shape, cut = []int{min(n, 300), f.M, f.N}, int64(4*64*f.M*f.N) // pieces are of 64 fragments
					}
					length := (kernels.Tensor{Shape: shape}).Len()
					got := stable(t, cut, func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
						y := h.Output(shape...)
						return func(p *engine.Program) { kernels.Peak(p, y, precision, steps) }, []kernels.Tensor{y}
					})
					want := make([]float64, length)
					peakRef(want, kerneltest.Device(t).Info(), precision, steps)
					kerneltest.Equal(t, "y", got[0], want, 1e-5)
				})
			}
		}
	}
}

// TestPeakFragments: the kernels' shape first, then all others of its types, each once.
func TestPeakFragments(t *testing.T) {
	shape := func(m, n, k int, sum string) engine.CoopMat {
		return engine.CoopMat{M: m, N: n, K: k, A: "f16", B: "f16", C: sum, R: sum}
	}
	info := engine.Info{CoopMat: []engine.CoopMat{shape(32, 8, 16, "f32"), shape(16, 16, 16, "f16"), shape(16, 8, 8, "f32"),
		shape(16, 16, 16, "f32"), shape(16, 8, 8, "f32")}}
	first, ok := kernels.PeakFragment(info, kernels.FP16)
	got := kernels.PeakFragments(info, kernels.FP16)
	if !ok || len(got) != 3 || got[0] != first || !slices.Contains(got, shape(32, 8, 16, "f32")) ||
		slices.Contains(got, shape(16, 16, 16, "f16")) {
		t.Errorf("%v", got)
	}
	if got := kernels.PeakFragments(engine.Info{}, kernels.FP16); got != nil {
		t.Errorf("no matrix unit: %v", got)
	}
}

func TestPeakMisuse(t *testing.T) {
	h := kerneltest.New(t)
	mustPanic(t, "kernels: Peak: ", func(p *engine.Program) { kernels.Peak(p, h.Output(8), kernels.FP32, 12) })
	mustPanic(t, "kernels: Peak: ", func(p *engine.Program) { kernels.Peak(p, h.Output(8), kernels.FP16, 8) })
	mustPanic(t, "kernels: Peak: ", func(p *engine.Program) { kernels.Peak(p, h.Output(8, 8, 8), kernels.BF16, 8) })
}
