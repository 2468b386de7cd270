// SPDX-License-Identifier: MIT

package ref

// AddRows is y[b] = x[b] + table.
func AddRows[F float32 | float64](y, x, table []F) {
	for i := range y {
		y[i] = x[i] + table[i%len(table)]
	}
}
