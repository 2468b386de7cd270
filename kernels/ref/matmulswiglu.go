// SPDX-License-Identifier: MIT

package ref

// MatMulSwiGLUOptions are those of kernels.MatMulSwiGLU; Bias (2F) may be nil.
type MatMulSwiGLUOptions[F float32 | float64] struct {
	ValueFirst bool
	Bias       []F
	Round      func(F) F // what the product's operands are rounded to; nil: nothing
}

// MatMulSwiGLU is ab = x wᵀ [+ bias] and h = SwiGLU(ab): h (N,F), ab (N,2F), x (N,C), w (2F,C).
func MatMulSwiGLU[F float32 | float64](h, ab, x, w []F, n, c, f int, o MatMulSwiGLUOptions[F]) {
	MatMul(ab, x, w, n, 2*f, c, MatMulOptions[F]{TransB: true, Bias: o.Bias, Round: o.Round})
	SwiGLU(h, ab, n, f, o.ValueFirst)
}

// MatMulSwiGLUBackward is dab where y = h wᵀ and h = SwiGLU(ab): SwiGLUBackward of dh = dy w. dab, ab (N,2F), dy (N,C),
// w (C,F).
func MatMulSwiGLUBackward[F float32 | float64](dab, dy, w, ab []F, n, c, f int, o MatMulSwiGLUOptions[F]) {
	dh := make([]F, n*f)
	MatMul(dh, dy, w, n, f, c, MatMulOptions[F]{Round: o.Round})
	SwiGLUBackward(dab, dh, ab, n, f, o.ValueFirst)
}
