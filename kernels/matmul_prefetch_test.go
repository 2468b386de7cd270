// SPDX-License-Identifier: MIT

package kernels_test

import (
	"path"
	"slices"
	"testing"

	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
)

// fragmentsFirst are the rungs above 05_coopmat, which add up in its order: they give its bits.
var fragmentsFirst = []string{"matmul/06_prefetch", "matmul/07_coopmat2"}

// eachPrefetchRung runs f for each of them that the device can run with halves.
func eachPrefetchRung(t *testing.T, f func(t *testing.T, rung string)) {
	for _, rung := range fragmentsFirst {
		t.Run(path.Base(rung), func(t *testing.T) {
			if info := kerneltest.Device(t).Info(); !slices.Contains(kernels.MatMulRungsOn(info, kernels.FP16), rung) {
				t.Skipf("%v lacks what %s needs; make test-coopmat has it", info, rung)
			}
			f(t, rung)
		})
	}
}

// TestMatMulPrefetchBits: the bits of 05_coopmat, where all tiles lie inside C and the sums have no tail, where some do, and where
// none can be stored as a fragment; with everything that is added to a product, and twice.
func TestMatMulPrefetchBits(t *testing.T) {
	eachPrefetchRung(t, func(t *testing.T, rung string) {
		for _, x := range []product{
			{M: 64, N: 32, K: 48, transB: true, bias: true, residual: true, halfA: true, halfB: true},
			{M: 72, N: 64, K: 32, transB: true, bias: true, residual: true, halfA: true, halfB: true, halfC: true},
			{M: 64, N: 32, K: 32, accumulate: true, halfB: true, gapC: 4, gapA: 4, offset: 4},
			{M: 64, N: 64, K: 32, transA: true, rowSum: true, accumulate: true, bias: true, residual: true, gapR: 8},
			{M: 32, N: 32, K: 36, transA: true, transB: true, batch: 2, residual: true},
			{M: 72, N: 40, K: 20, transA: true, rowSum: true, bias: true, residual: true, halfB: true},
			{M: 71, N: 38, K: 33, transB: true, bias: true},
			{M: 71, N: 38, K: 33, transA: true, accumulate: true},
		} {
			x.precision = kernels.FP16
			x.choice = &kernels.MatMulChoice{Rung: "matmul/05_coopmat", Split: 1}
			want := x.run(t)
			x.choice = &kernels.MatMulChoice{Rung: rung, Split: 1}
			got := x.run(t)
			if !slices.Equal(got, want) {
				t.Errorf("%v: other bits than 05_coopmat's", x)
			}
			if !slices.Equal(x.run(t), got) {
				t.Errorf("%v: two runs differ", x)
			}
		}
	})
}

// TestMatMulPrefetchTurned: operands that are turned on their way into shared memory give the same bits: either one, both, in floats
// and in halves, with a tail of K and without, read in fours and one by one.
func TestMatMulPrefetchTurned(t *testing.T) {
	eachPrefetchRung(t, func(t *testing.T, rung string) {
		info := kerneltest.Device(t).Info()
		size := func(c kernels.MatMulChoice) [2]int {
			bm, bn := kernels.MatMulTile(c, info, kernels.FP16)
			return [2]int{bm, bn}
		}
		turned := kernels.MatMulChoice{Rung: rung, Split: 1} // the smallest that does
		for !kernels.MatMulTurns(turned, info, kernels.FP16) {
			turned.Tile++
		}
		asItLies := kernels.MatMulChoice{Rung: rung, Split: 1} // the same tile, which does not
		for size(asItLies) != size(turned) {
			asItLies.Tile++
		}
		for _, x := range []product{
			{M: 64, N: 64, K: 64},
			{M: 68, N: 36, K: 44, transA: true, halfB: true, rowSum: true},
			{M: 68, N: 36, K: 44, transA: true, transB: true, halfA: true},
			{M: 67, N: 35, K: 43, transA: true},
		} {
			x.precision, x.choice = kernels.FP16, &asItLies
			want := x.run(t)
			x.choice = &turned
			if !slices.Equal(x.run(t), want) {
				t.Errorf("%v: other bits than with operands as they lie in memory", x)
			}
		}
	})
}

// TestMatMulPrefetchTiles: every tile, over the edges of C; of the rung above, which has the same, the smallest.
func TestMatMulPrefetchTiles(t *testing.T) {
	eachPrefetchRung(t, func(t *testing.T, rung string) {
		info := kerneltest.Device(t).Info()
		for i := range kernels.MatMulTiles(rung, info, kernels.FP16) {
			if rung != fragmentsFirst[0] && i > 0 {
				break // large tiles compile for long on a CPU driver
			}
			choice, f := kernels.MatMulChoice{Rung: rung, Tile: i, Split: 1}, forms[(i+2)%4]
			product{M: 131, N: 140, K: 36, transA: f[0], transB: f[1], precision: kernels.FP16, choice: &choice, rowSum: true,
				bias: f[1], accumulate: f[0]}.run(t)
		}
	})
}

// TestMatMulPrefetchSwiGLU: tiles that lie inside C, where gates and values are fragments.
func TestMatMulPrefetchSwiGLU(t *testing.T) {
	eachPrefetchRung(t, func(t *testing.T, rung string) {
		for _, x := range []fusedSwiGLU{{64, 32, 32, true, true, kernels.FP16}, {32, 16, 64, false, false, kernels.FP16}} {
			var want, got []float32
			kernels.WithMatMul("matmul/05_coopmat", func() { want = x.run(t) })
			kernels.WithMatMul(rung, func() { got = x.run(t) })
			if !slices.Equal(got, want) {
				t.Errorf("%+v: other bits than 05_coopmat's", x)
			}
		}
	})
}
