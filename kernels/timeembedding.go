// SPDX-License-Identifier: MIT

package kernels

import (
	"math"

	"jitvk/engine"
)

// TimeEmbeddingOptions say which sines make up a time embedding.
type TimeEmbeddingOptions struct {
	Scale     float32 // tau is multiplied by this: 1 (JiT) or 1000 (the post)
	CosFirst  bool    // [cos | sin] (JiT) rather than [sin | cos]
	MaxPeriod float32 // ratio of the fastest to the slowest frequency; 0 means 10000
}

// timePowers is how many powers of the frequencies' ratio fit into the push constants: E/2 <= 2^12.
const timePowers = 12

// TimeEmbedding is e[b] = [sin a | cos a], a_i = Scale tau[b] MaxPeriod^(-i/(E/2)). e (B,E), E even; tau (B).
func TimeEmbedding(p *engine.Program, e, tau Tensor, o TimeEmbeddingOptions) {
	ok := len(e.Shape) == 2 && e.Shape[1]%2 == 0 && e.Shape[1] <= 2<<timePowers && tau.Len() == e.Shape[0] && e.Contiguous() &&
		tau.Contiguous()
	check(ok, "TimeEmbedding", "e %v, tau %v: contiguous (B,E) and (B) wanted, E even and at most %d", e, tau, 2<<timePowers)
	if o.MaxPeriod == 0 {
		o.MaxPeriod = 10000
	}
	b, half := e.Shape[0], e.Shape[1]/2
	push := struct {
		Images, Half  uint32
		Scale, Unused float32
		Power         [timePowers][2]float32 // the high and the low part of MaxPeriod^(-2^k/half)
	}{Images: uint32(b), Half: uint32(half), Scale: o.Scale}
	for k := range push.Power {
		v := math.Pow(float64(o.MaxPeriod), -float64(int(1)<<k)/float64(half))
		push.Power[k] = [2]float32{float32(v), float32(v - float64(float32(v)))}
	}
	single(p, "timeembedding", b*half, push, []uint32{flag(o.CosFirst)}, e.Write(), tau.Read())
}
