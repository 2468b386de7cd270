// SPDX-License-Identifier: MIT

package kernels

import (
	"math"

	"jitvk/engine"
)

// GradNorm is norm = sqrt(Σ g²) over flat tensors of any lengths, one gradient in pieces. norm (1). It is the norm of what lies in
// memory: a loss scale is not divided out. The sum is in fp32 as a tree of sums of at most 1024 terms, the pieces in order.
func GradNorm(p *engine.Program, norm Tensor, g ...Tensor) {
	check(norm.Len() == 1, "GradNorm", "norm %v, (1) wanted", norm)
	check(len(g) > 0, "GradNorm", "no gradient, at least one piece wanted")
	const quantum = bindingAlign / 4 // partial sums: a piece of g begins where its partial sums can be bound
	size, sums := blockSize(p), 0
	first := make([]int, len(g)) // of each piece's partial sums
	for i, whole := range g {
		first[i] = ceilDiv(sums, quantum) * quantum
		sums = first[i] + ceilDiv(same("GradNorm", whole), size)
	}
	part := Temp(p, "gradnorm partial sums", sums)
	if len(g) > 1 {
		p.Fill(part.Range, 0) // the gaps before where pieces begin
	}
	for i, whole := range g {
		for _, s := range spans(p, "GradNorm", whole.Len(), quantum*size, 1) {
			groups := span{first[i] + s.first/size, ceilDiv(s.n, size)}
			elementwise(p, "gradnorm", s.n, struct{ Count, Groups uint32 }{uint32(s.n), uint32(groups.n)}, []uint32{vec(p, s.n)},
				piece(part, groups, 1).Write(), piece(whole, s, 1).Read())
		}
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
