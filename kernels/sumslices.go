// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// sumSlices is c = Σ over slices of part [+ bias] [+ residual] [+ c]: c (M,N) in rows, part (slices,M,N). It takes from m what is
// added.
func sumSlices(p *engine.Program, c, part Tensor, m product) {
	push := struct{ M, N, Slices, Blocks, LdC, OffC, LdR, OffR, OffBias uint32 }{uint32(c.rows()), uint32(c.width()), uint32(part.Shape[0]),
		uint32(ceilDiv(c.width(), blockSize(p))), c.stride(), c.offset(), 0, 0, 0}
	bias, residual := engine.Nothing, engine.Nothing
	if m.Bias != nil {
		bias, push.OffBias = m.bias(), m.Bias.offset()
	}
	if m.Residual != nil {
		residual, push.LdR, push.OffR = m.residual.Read(), m.residual.stride(), m.residual.offset()
	}
	blocked(p, "matmul/sumslices", c.rows(), c.width(), push, []uint32{flag(m.Accumulate), flag(m.Bias != nil), flag(m.Residual != nil)},
		c.Update(m.Accumulate), part.Read(), bias, residual)
}
