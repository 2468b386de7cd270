// SPDX-License-Identifier: MIT

package ref_test

import (
	"math"
	"testing"

	"jitvk/kernels/ref"
)

// A chain of x = a x + b has the closed form x(n) = aⁿ x(0) + b (1 - aⁿ)/(1 - a), one of products x(0) + n K a b.
func TestPeakClosedForm(t *testing.T) {
	const a, b, chains = 0.9, 0.25, 3
	for _, steps := range []int{1, 8, 40} {
		y := make([]float64, 70)
		power := math.Pow(a, float64(steps))
		ref.PeakFMA(y, chains, steps, a, b)
		for e, got := range y {
			start := float64(chains*(e%64) + 0 + 1 + 2)
			if want := power*start + chains*b*(1-power)/(1-a); math.Abs(got-want) > 1e-12*want {
				t.Errorf("%d steps: y[%d] = %v, want %v", steps, e, got, want)
			}
		}
		const size, k = 2, 5
		ref.PeakMatrix(y, size, k, chains, steps, a, b)
		for i, got := range y {
			start := float64(chains*(i/size%64) + 0 + 1 + 2)
			if want := start + float64(chains*steps*k)*a*b; math.Abs(got-want) > 1e-12*want {
				t.Errorf("%d products: y[%d] = %v, want %v", steps, i, got, want)
			}
		}
	}
}
