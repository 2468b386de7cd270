// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// sumTokens is y[b,c] = Σ over tokens of x[b,t,c], added to y with acc: the gradient of what the tokens of an image share.
// y is (B,C); images of x lie ldB floats apart, their tokens ldT, the first off floats into x.
func sumTokens(p *engine.Program, y Tensor, x Tensor, tokens, ldB, ldT, off int, acc bool) {
	vec := columnVec(p, y.width(), y.Ld, y.Off, ldB, ldT, off)
	local := localSize(p)
	blocks := ceilDiv(y.width(), local*int(vec))
	push := struct{ Images, Tokens, Width, LdY, OffY, LdB, LdT, OffX, Blocks uint32 }{uint32(y.rows()), uint32(tokens), uint32(y.width()),
		y.stride(), y.offset(), uint32(ldB), uint32(ldT), uint32(off), uint32(blocks)}
	single(p, "sumtokens", y.rows()*blocks*local, push, []uint32{flag(acc), vec}, y.Update(acc), x.Read())
}
