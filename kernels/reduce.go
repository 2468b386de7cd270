// SPDX-License-Identifier: MIT

package kernels

import (
	"math"

	"jitvk/engine"
)

// GradNorm is norm = sqrt(Σ g²) over a flat tensor of any length. norm (1). It is the norm of what lies in memory: a loss
// scale is not divided out. The sum is in fp32 as a tree of sums of at most 1024 terms.
func GradNorm(p *engine.Program, norm, g Tensor) {
	check(norm.Len() == 1, "GradNorm", "norm %v, (1) wanted", norm)
	size := blockSize(p)
	part := Temp(p, "gradnorm partial sums", ceilDiv(same("GradNorm", g), size))
	const quantum = bindingAlign / 4 // partial sums: a piece of g begins where its partial sums can be bound
	for _, s := range spans(p, "GradNorm", g.Len(), quantum*size, 1) {
		groups := span{s.first / size, ceilDiv(s.n, size)}
		elementwise(p, "gradnorm", s.n, struct{ Count, Groups uint32 }{uint32(s.n), uint32(groups.n)}, []uint32{vec(p, s.n)},
			piece(part, groups, 1).Write(), piece(g, s, 1).Read())
	}
	reduce(p, norm, part, 1, true)
}

// reduce is out = factor Σ src, or its square root. It uses one dispatch for each factor of a block size in src's length.
func reduce(p *engine.Program, out, src Tensor, factor float64, root bool) {
	for {
		n := src.Len()
		groups := ceilDiv(n, blockSize(p))
		push := struct {
			Count, Groups uint32
			Factor        float32
		}{uint32(n), uint32(groups), 1}
		dst, last := out, groups == 1
		if last {
			push.Factor = float32(factor)
		} else {
			dst = Temp(p, "partial sums", groups)
		}
		elementwise(p, "reduce", n, push, []uint32{flag(root && last)}, dst.Write(), src.Read())
		if last {
			return
		}
		src = dst
	}
}

// finite guards the options of an op against the NaN or infinity that would spread through all weights.
func finite(op string, values ...float32) {
	for _, v := range values {
		check(!math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0), op, "option %g is not finite", v)
	}
}
