// SPDX-License-Identifier: MIT

package ref

// PeakFMA is y[e] = Σ over chains c of x(steps), where x(0) = e mod 64 + c and x(n+1) = a x(n) + b.
func PeakFMA[F float32 | float64](y []F, chains, steps int, a, b F) {
	for e := range y {
		sum := F(0)
		for c := range chains {
			x := F(e%64 + c)
			for range steps {
				x = a*x + b
			}
			sum += x
		}
		y[e] = sum
	}
}

// PeakMatrix is the sum over chains c of X(steps), where X(0) = f mod 64 + c in all elements of fragment f and
// X(n+1) = X(n) + A B, A (M,K) full of a, B (K,N) full of b; y (fragments,M,N), size = M N.
func PeakMatrix[F float32 | float64](y []F, size, k, chains, steps int, a, b F) {
	for i := range y {
		sum := F(0)
		for c := range chains {
			x := F(i/size%64 + c)
			for range steps * k {
				x += a * b
			}
			sum += x
		}
		y[i] = sum
	}
}
