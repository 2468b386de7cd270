// SPDX-License-Identifier: MIT

package ref_test

import (
	"fmt"
	"slices"
	"testing"

	"jitvk/kernels/ref"
)

// TestMatMulByHand: the product of two small matrices as one writes it on paper, every transpose case and epilogue.
func TestMatMulByHand(t *testing.T) {
	a, aT := []float64{1, 2, 3, 4, 5, 6}, []float64{1, 4, 2, 5, 3, 6}       // (2,3)
	b, bT := []float64{7, 8, 9, 10, 11, 12}, []float64{7, 9, 11, 8, 10, 12} // (3,2)
	want, bias, residual := []float64{58, 64, 139, 154}, []float64{100, 200}, []float64{1, 2, 3, 4}
	for _, o := range []ref.MatMulOptions[float64]{{}, {TransA: true}, {TransB: true}, {TransA: true, TransB: true}, {Accumulate: true},
		{Bias: bias}, {Residual: residual}, {Accumulate: true, Bias: bias, Residual: residual}} {
		x, y, c, w := a, b, []float64{0.5, 1.5, 2.5, 3.5}, slices.Clone(want)
		if o.TransA {
			x = aT
		}
		if o.TransB {
			y = bT
		}
		for i := range w {
			if o.Bias != nil {
				w[i] += bias[i%2]
			}
			if o.Residual != nil {
				w[i] += residual[i]
			}
			if o.Accumulate {
				w[i] += c[i]
			}
		}
		ref.MatMul(c, x, y, 2, 2, 3, o)
		if !slices.Equal(c, w) {
			t.Errorf("%+v: %v, want %v", o, c, w)
		}
	}
}

// TestMatMulGradients: the gradients of each transpose case are the matmuls that autograd records for it.
func TestMatMulGradients(t *testing.T) {
	const M, N, K = 3, 4, 5
	type opt = ref.MatMulOptions[float64]
	for _, o := range []opt{{}, {TransA: true}, {TransB: true}, {TransA: true, TransB: true}} {
		t.Run(fmt.Sprint(o.TransA, o.TransB), func(t *testing.T) {
			a, b, dc := normals(1, M*K), normals(2, K*N), normals(3, M*N)
			c, da, db := make([]float64, M*N), make([]float64, M*K), make([]float64, K*N)
			if o.TransA { // da (K,M) = op(b) dcᵀ
				ref.MatMul(da, b, dc, K, M, N, opt{TransA: o.TransB, TransB: true})
			} else { // da (M,K) = dc op(b)ᵀ
				ref.MatMul(da, dc, b, M, K, N, opt{TransB: !o.TransB})
			}
			if o.TransB { // db (N,K) = dcᵀ op(a)
				ref.MatMul(db, dc, a, N, K, M, opt{TransA: true, TransB: o.TransA})
			} else { // db (K,N) = op(a)ᵀ dc
				ref.MatMul(db, a, dc, K, N, M, opt{TransA: !o.TransA})
			}
			forward := func() []float64 { ref.MatMul(c, a, b, M, N, K, o); return c }
			checkGradients(t, dc, forward, param{"a", a, da}, param{"b", b, db})
		})
	}
}

// TestMatMulRowSum: written, or added to, in both layouts of a, and of a as it was rounded.
func TestMatMulRowSum(t *testing.T) {
	third := 1.0 / 3
	for _, a := range [][]float64{{1, 2, third, 4, 5, third}, {1, 4, 2, 5, third, third}} { // (2,3), (3,2)
		o := ref.MatMulOptions[float64]{TransA: a[1] == 4, RowSum: []float64{10, 20}, Round: ref.BF16[float64]}
		c, b := make([]float64, 4), make([]float64, 6)
		for _, want := range [][]float64{{3 + 0.333984375, 9 + 0.333984375}, {2 * (3 + 0.333984375), 2 * (9 + 0.333984375)}} {
			ref.MatMul(c, a, b, 2, 2, 3, o)
			if !slices.Equal(o.RowSum, want) {
				t.Errorf("%+v: %v, want %v", o, o.RowSum, want)
			}
			o.AddRowSum = true
		}
	}
}

// TestMatMulSwiGLUGradients: y = h wᵀ with h = swiglu(ab), by ab; and the forward function is the two it names.
func TestMatMulSwiGLUGradients(t *testing.T) {
	const n, c, f = 3, 4, 5
	for _, valueFirst := range []bool{false, true} {
		o := ref.MatMulSwiGLUOptions[float64]{ValueFirst: valueFirst}
		ab, w, dy := normals(1, n*2*f), normals(2, c*f), normals(3, n*c)
		h, y, dab := make([]float64, n*f), make([]float64, n*c), make([]float64, n*2*f)
		ref.MatMulSwiGLUBackward(dab, dy, w, ab, n, c, f, o)
		checkGradients(t, dy, func() []float64 {
			ref.SwiGLU(h, ab, n, f, valueFirst)
			ref.MatMul(y, h, w, n, c, f, ref.MatMulOptions[float64]{TransB: true})
			return y
		}, param{"ab", ab, dab})

		x, w12, bias, want := normals(4, n*c), normals(5, 2*f*c), normals(6, 2*f), make([]float64, n*f)
		o.Bias = bias
		ref.MatMulSwiGLU(h, ab, x, w12, n, c, f, o)
		ref.MatMul(ab, x, w12, n, 2*f, c, ref.MatMulOptions[float64]{TransB: true, Bias: bias})
		if ref.SwiGLU(want, ab, n, f, valueFirst); !slices.Equal(h, want) {
			t.Errorf("valueFirst %v: %v, want %v", valueFirst, h, want)
		}
	}
}

// TestSumSlices: the products of slices of K add up to the product, with its epilogue.
func TestSumSlices(t *testing.T) {
	const M, N, K, slice = 2, 3, 5, 2
	a, b, bias, residual := make([]float64, M*K), make([]float64, K*N), []float64{10, 20, 30}, []float64{1, 2, 3, 4, 5, 6}
	for i := range a {
		a[i] = float64(i*i%7) - 3 // (K,M): integers, whose sums are exact in any order
	}
	for i := range b {
		b[i] = float64(i*i%5) - 2
	}
	for _, accumulate := range []bool{false, true} {
		want, got := []float64{7, 6, 5, 4, 3, 2}, []float64{7, 6, 5, 4, 3, 2}
		ref.MatMul(want, a, b, M, N, K, ref.MatMulOptions[float64]{TransA: true, Accumulate: accumulate, Bias: bias, Residual: residual})
		var part []float64
		for k := 0; k < K; k += slice {
			c := make([]float64, M*N)
			ref.MatMul(c, a[k*M:], b[k*N:], M, N, min(slice, K-k), ref.MatMulOptions[float64]{TransA: true})
			part = append(part, c...)
		}
		if ref.SumSlices(got, part, bias, residual, 3, M, N, accumulate); !slices.Equal(got, want) {
			t.Errorf("accumulate %v: %v, want %v", accumulate, got, want)
		}
	}
}
