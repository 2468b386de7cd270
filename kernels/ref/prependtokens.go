// SPDX-License-Identifier: MIT

package ref

// PrependTokens is y[b] = [e[b] + pos[k] for k < K; x[b]]. y (B,K+T,C), x (B,T,C), e (B,C), pos (K,C).
func PrependTokens[F float32 | float64](y, x, e, pos []F, b, k, t, c int) {
	for i := range b {
		to := y[i*(k+t)*c:][:(k+t)*c]
		for j := range k * c {
			to[j] = e[i*c+j%c] + pos[j]
		}
		copy(to[k*c:], x[i*t*c:][:t*c])
	}
}

// PrependTokensBackward is dx = dy[:,K:], de[b] = Σ over k of dy[b,k], dpos[k] = Σ over b of dy[b,k].
func PrependTokensBackward[F float32 | float64](dx, de, dpos, dy []F, b, k, t, c int) {
	DropTokens(dx, dy, b, k, t, c)
	clear(de)
	clear(dpos)
	for i := range b {
		for j, g := range dy[i*(k+t)*c:][:k*c] {
			de[i*c+j%c] += g
			dpos[j] += g
		}
	}
}

// DropTokens is y = x[:,K:]. y (B,T,C), x (B,K+T,C).
func DropTokens[F float32 | float64](y, x []F, b, k, t, c int) {
	for i := range b {
		copy(y[i*t*c:][:t*c], x[(i*(k+t)+k)*c:])
	}
}

// DropTokensBackward is dx[b] = [K zero tokens; dy[b]].
func DropTokensBackward[F float32 | float64](dx, dy []F, b, k, t, c int) {
	PrependTokens(dx, dy, make([]F, b*c), make([]F, k*c), b, k, t, c)
}
