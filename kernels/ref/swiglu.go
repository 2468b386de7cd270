// SPDX-License-Identifier: MIT

package ref

// SwiGLU is h = silu(gate) * value, where each of n rows of ab is (gate | value), or (value | gate) if valueFirst.
// h (N,F), ab (N,2F). Source: Shazeer, arXiv 2002.05202.
func SwiGLU[F float32 | float64](h, ab []F, n, f int, valueFirst bool) {
	for r := range n {
		gate, value := halves(ab, r, f, valueFirst)
		for i := range f {
			h[r*f+i] = gate[i] * sigmoid(gate[i]) * value[i]
		}
	}
}

// SwiGLUBackward is dab from dh: with s = sigmoid(gate), dvalue = dh gate s and dgate = dh value s (1 + gate (1 - s)).
func SwiGLUBackward[F float32 | float64](dab, dh, ab []F, n, f int, valueFirst bool) {
	for r := range n {
		gate, value := halves(ab, r, f, valueFirst)
		dgate, dvalue := halves(dab, r, f, valueFirst)
		for i := range f {
			g, d := gate[i], dh[r*f+i]
			s := sigmoid(g)
			dvalue[i] = d * g * s
			dgate[i] = d * value[i] * s * (1 + g*(1-s))
		}
	}
}

// halves returns row r's gate and value.
func halves[F float32 | float64](ab []F, r, f int, valueFirst bool) (gate, value []F) {
	gate, value = ab[2*r*f:(2*r+1)*f], ab[(2*r+1)*f:(2*r+2)*f]
	if valueFirst {
		gate, value = value, gate
	}
	return gate, value
}
