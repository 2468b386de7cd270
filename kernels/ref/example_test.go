// SPDX-License-Identifier: MIT

package ref_test

import (
	"fmt"

	"jitvk/kernels/ref"
)

// A linear layer's y = x Wᵀ + b for one row x of two numbers: the weight W (3,2) has a row for each output.
func ExampleMatMul() {
	x := []float64{1, 2}
	w := []float64{
		1, 0,
		0, 1,
		1, 1,
	}
	y := make([]float64, 3)
	ref.MatMul(y, x, w, 1, 3, 2, ref.MatMulOptions[float64]{TransB: true, Bias: []float64{10, 20, 30}})
	fmt.Println(y)
	// Output: [11 22 33]
}
