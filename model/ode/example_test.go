// SPDX-License-Identifier: MIT

package ode_test

import (
	"fmt"
	"math"

	"jitvk/model/ode"
)

// The sine from its derivative.
func ExampleEuler() {
	grid := ode.Grid(0, math.Pi/2, 1000)
	path := ode.Euler(func(x float64, _, dy []float64) { dy[0] = math.Cos(x) }, []float64{0}, grid)
	fmt.Printf("%.3f\n", path[1000][0])
	// Output: 1.001
}
