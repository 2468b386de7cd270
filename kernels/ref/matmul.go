// SPDX-License-Identifier: MIT

package ref

// MatMulOptions are those of kernels.MatMul; Bias (N), Residual (M,N) and RowSum (M) may be nil.
type MatMulOptions[F float32 | float64] struct {
	TransA, TransB, Accumulate bool
	Bias, Residual             []F
	RowSum                     []F // gets the sum of each row of op(a), as it was rounded
	AddRowSum                  bool
	Round                      func(F) F // what a and b are rounded to: FP16, BF16; nil: nothing
}

// MatMul is c = op(a) op(b) [+ bias] [+ residual] [+ c] for contiguous matrices, op the identity or the transpose:
// op(a) (M,K), op(b) (K,N), c and residual (M,N), bias (N). In memory a is (M,K), or (K,M) with TransA; b is (K,N), or
// (N,K) with TransB.
//
// Its gradients are matmuls: da = dc op(b)ᵀ and db = op(a)ᵀ dc where a and b are not transposed, the transposes of these
// where they are.
func MatMul[F float32 | float64](c, a, b []F, M, N, K int, o MatMulOptions[F]) {
	element := func(x []F, row, col, rows, cols int, transposed bool) F {
		at := row*cols + col
		if transposed {
			at = col*rows + row
		}
		if o.Round == nil {
			return x[at]
		}
		return o.Round(x[at])
	}
	for m := range M {
		if o.RowSum != nil {
			if !o.AddRowSum {
				o.RowSum[m] = 0
			}
			for k := range K {
				o.RowSum[m] += element(a, m, k, M, K, o.TransA)
			}
		}
		for n := range N {
			var sum F
			for k := range K {
				sum += element(a, m, k, M, K, o.TransA) * element(b, k, n, K, N, o.TransB)
			}
			if o.Bias != nil {
				sum += o.Bias[n]
			}
			if o.Residual != nil {
				sum += o.Residual[m*N+n]
			}
			if o.Accumulate {
				sum += c[m*N+n]
			}
			c[m*N+n] = sum
		}
	}
}
