// SPDX-License-Identifier: MIT

package ref

// ConcatTime appends an image's time embedding to each of its tokens. y (B,T,C+E), x (B,T,C), e (B,E).
func ConcatTime[F float32 | float64](y, x, e []F, b, t, c, extra int) {
	for r := range b * t {
		row := y[r*(c+extra) : (r+1)*(c+extra)]
		copy(row, x[r*c:(r+1)*c])
		copy(row[c:], e[r/t*extra:(r/t+1)*extra])
	}
}

// ConcatTimeBackward is dx = dy[…,:C] and de = the sum over an image's tokens of dy[…,C:].
func ConcatTimeBackward[F float32 | float64](dx, de, dy []F, b, t, c, extra int) {
	clear(de)
	for r := range b * t {
		row := dy[r*(c+extra) : (r+1)*(c+extra)]
		copy(dx[r*c:(r+1)*c], row)
		for i := range extra {
			de[r/t*extra+i] += row[c+i]
		}
	}
}
