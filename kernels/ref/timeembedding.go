// SPDX-License-Identifier: MIT

package ref

import "math"

// TimeEmbedding is e[b] = [sin a | cos a] (or [cos a | sin a]), a_i = scale tau[b] maxPeriod^(-i/half). e (B, 2 half), tau (B).
func TimeEmbedding[F float32 | float64](e, tau []F, half int, scale, maxPeriod float64, cosFirst bool) {
	for b, t := range tau {
		sines, cosines := e[2*b*half:(2*b+1)*half], e[(2*b+1)*half:(2*b+2)*half]
		if cosFirst {
			sines, cosines = cosines, sines
		}
		for i := range half {
			a := scale * float64(t) * math.Pow(maxPeriod, -float64(i)/float64(half))
			sines[i], cosines[i] = F(math.Sin(a)), F(math.Cos(a))
		}
	}
}
