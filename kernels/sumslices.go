// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// sumSlices is c = Σ over slices of part [+ bias] [+ residual] [+ c]: c and r (M,N), part (slices,M,N), bias (N). It takes
// from o what is added.
func sumSlices(p *engine.Program, c, r matrix, part Tensor, o MatMulOptions) {
	push := struct{ M, N, Slices, Blocks, LdC, OffC, LdR, OffR, OffBias uint32 }{uint32(c.rows), uint32(c.cols), uint32(part.Shape[0]),
		uint32(ceilDiv(c.cols, blockSize(p))), uint32(c.ld), uint32(c.off), uint32(r.ld), uint32(r.off), 0}
	bias, residual := engine.Nothing, engine.Nothing
	if o.Bias != nil {
		bias, push.OffBias = o.Bias.Read(), uint32(o.Bias.Off)
	}
	if o.Residual != nil {
		residual = r.read()
	}
	blocked(p, "matmul/sumslices", c.rows, c.cols, push, []uint32{flag(o.Accumulate), flag(o.Bias != nil), flag(o.Residual != nil)},
		c.update(o.Accumulate), part.Read(), bias, residual)
}
