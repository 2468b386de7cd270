// SPDX-License-Identifier: MIT

package ref

// MatMulOptions are those of kernels.MatMul; Bias (N) and Residual (M,N) may be nil.
type MatMulOptions[F float32 | float64] struct {
	TransA, TransB, Accumulate bool
	Bias, Residual             []F
	Round                      func(F) F // what a and b are rounded to: FP16, BF16; nil: nothing
}

// MatMul is c = op(a) op(b) [+ bias] [+ residual] [+ c] for contiguous matrices, op the identity or the transpose:
// op(a) (M,K), op(b) (K,N), c and residual (M,N), bias (N). In memory a is (M,K), or (K,M) with TransA; b is (K,N), or
// (N,K) with TransB.
//
// Its gradients are matmuls: da = dc op(b)ᵀ and db = op(a)ᵀ dc where a and b are not transposed, the transposes of these
// where they are.
func MatMul[F float32 | float64](c, a, b []F, M, N, K int, o MatMulOptions[F]) {
	for m := range M {
		for n := range N {
			var sum F
			for k := range K {
				x, y := m*K+k, k*N+n
				if o.TransA {
					x = k*M + m
				}
				if o.TransB {
					y = n*K + k
				}
				if o.Round == nil {
					sum += a[x] * b[y]
				} else {
					sum += o.Round(a[x]) * o.Round(b[y])
				}
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
