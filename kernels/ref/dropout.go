// SPDX-License-Identifier: MIT

package ref

// Dropout is y = x/(1 - prob) where number j of image i is at least prob, and 0 elsewhere. y, x (B,n); number j is made of word
// j%4 of Words(j/4, i).
func Dropout[F float32 | float64](y, x []F, n int, prob F, r Random) {
	for i := range y {
		j := i % n
		if y[i] = x[i] / (1 - prob); Uniform(r.Words(j/4, i/n)[j%4]) < float64(prob) {
			y[i] = 0
		}
	}
}
