// SPDX-License-Identifier: MIT

package ref

// SumSlices is c = Σ over slices of part [+ bias] [+ residual] [+ c] for contiguous matrices: c and residual (M,N), part
// (slices,M,N), bias (N). bias and residual may be nil.
func SumSlices[F float32 | float64](c, part, bias, residual []F, slices, M, N int, accumulate bool) {
	for i := range c[:M*N] {
		var sum F
		for s := range slices {
			sum += part[s*M*N+i]
		}
		if bias != nil {
			sum += bias[i%N]
		}
		if residual != nil {
			sum += residual[i]
		}
		if accumulate {
			sum += c[i]
		}
		c[i] = sum
	}
}
