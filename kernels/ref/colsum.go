// SPDX-License-Identifier: MIT

package ref

// ColSum is db[c] = Σ over rows of dy[r,c]: the gradient of a bias. dy (N,C); db (C).
func ColSum[F float32 | float64](db, dy []F, n, c int) {
	clear(db)
	for r := range n {
		for i := range c {
			db[i] += dy[r*c+i]
		}
	}
}
