// SPDX-License-Identifier: MIT

package ref

// RoPE turns pairs of each head's floats: (y0, y1) = (x0 cos - x1 sin, x1 cos + x0 sin). inverse turns back, which is the
// gradient too. interleaved: pair j is (2j, 2j+1); else, inside each half of the head (one axis of the image), pair i is
// (i, i+D/4). x, y (B,T,H,D), y may be x; cos, sin (T, D/2), a column a pair, the first half's pairs first.
func RoPE[F float32 | float64](y, x, cos, sin []F, b, t, h, d int, inverse, interleaved bool) {
	half, quarter := d/2, d/4
	for row := range b * t {
		for head := range h {
			at := (row*h + head) * d
			for j := range half {
				c, s := cos[row%t*half+j], sin[row%t*half+j]
				if inverse {
					s = -s
				}
				i0 := at + j/quarter*half + j%quarter
				i1 := i0 + quarter
				if interleaved {
					i0, i1 = at+2*j, at+2*j+1
				}
				x0, x1 := x[i0], x[i1]
				y[i0], y[i1] = x0*c-x1*s, x1*c+x0*s
			}
		}
	}
}
