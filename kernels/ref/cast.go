// SPDX-License-Identifier: MIT

package ref

// Cast is y = x rounded by round: FP16 or BF16.
func Cast[F float32 | float64](y, x []F, round func(F) F) { copy(y, rounded(x, round)) }
