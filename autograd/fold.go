// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// Unfold cuts an image (B,3,ImgH,ImgW) into tokens (B,T,3PP), patches that may overlap. Its gradient is not needed: what
// it cuts is the noisy input.
func (t *Tape) Unfold(img *Var, o kernels.FoldOptions) *Var {
	s := img.Value.Shape
	tokens := ((s[2]-o.Patch)/o.Stride + 1) * ((s[3]-o.Patch)/o.Stride + 1)
	y := t.out("unfold", []*Var{img}, s[0], tokens, 3*o.Patch*o.Patch)
	kernels.Unfold(t.P, y.Value, img.Value, o)
	t.push(y, []*Var{img}, func() {
		dimg, acc := t.into(img)
		if acc {
			panic("autograd: Unfold: its input may have no other use")
		}
		kernels.Fold(t.P, dimg, y.Grad, o) // the exact adjoint
	})
	return y
}

// Fold puts tokens (B,T,3PP) together to an image (B,3,h,w): where patches overlap, the mean weighted by the window.
//
//	dtok = Unfold with the same window and norm, of dimg: the exact adjoint
func (t *Tape) Fold(tok *Var, h, w int, o kernels.FoldOptions) *Var {
	y := t.out("fold", []*Var{tok}, tok.Value.Shape[0], 3, h, w)
	kernels.Fold(t.P, y.Value, tok.Value, o)
	t.push(y, []*Var{tok}, func() {
		dtok, acc := t.into(tok)
		if acc {
			panic("autograd: Fold: its input may have no other use")
		}
		kernels.Unfold(t.P, dtok, y.Grad, o)
	})
	return y
}
