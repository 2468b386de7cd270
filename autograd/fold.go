// SPDX-License-Identifier: MIT

package autograd

import (
	"fmt"

	"jitvk/kernels"
)

// Unfold cuts an image (B,3,ImgH,ImgW) into tokens (B,T,3PP), patches that may overlap. Its gradient is not needed: what
// it cuts is the noisy input.
func (t *Tape) Unfold(img *Var, o kernels.FoldOptions) *Var {
	in, s := t.take("unfold", img), img.dims("unfold", 4)
	if o.Patch < 1 || o.Stride < 1 {
		panic(fmt.Sprintf("autograd: unfold: %v into patches of %d, %d apart", img, o.Patch, o.Stride))
	}
	tokens := ((s[2]-o.Patch)/o.Stride + 1) * ((s[3]-o.Patch)/o.Stride + 1)
	y := t.out("unfold", in, s[0], tokens, 3*o.Patch*o.Patch)
	kernels.Unfold(t.P, y.Value, img.Value, o)
	t.push(y, in, func() {
		kernels.Fold(t.P, t.only("unfold", img), y.grad, o) // the exact adjoint
	})
	return y
}

// Fold puts tokens (B,T,3PP) together to an image (B,3,h,w): where patches overlap, the mean weighted by the window.
//
//	dtok = Unfold with the same window and norm, of dimg: the exact adjoint
func (t *Tape) Fold(tok *Var, h, w int, o kernels.FoldOptions) *Var {
	in := t.take("fold", tok)
	y := t.out("fold", in, tok.dims("fold", 3)[0], 3, h, w)
	kernels.Fold(t.P, y.Value, tok.Value, o)
	t.push(y, in, func() {
		kernels.Unfold(t.P, t.only("fold", tok), y.grad, o)
	})
	return y
}
