// SPDX-License-Identifier: MIT

package ref

// Add is y = a + b, element by element.
func Add[F float32 | float64](y, a, b []F) {
	for i := range y {
		y[i] = a[i] + b[i]
	}
}
