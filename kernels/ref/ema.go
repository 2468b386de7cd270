// SPDX-License-Identifier: MIT

package ref

// EMA is ema = d ema + (1 - d) w.
func EMA[F float32 | float64](ema, w []F, d F) {
	for i := range ema {
		ema[i] = d*ema[i] + (1-d)*w[i]
	}
}
