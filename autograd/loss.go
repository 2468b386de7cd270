// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// VLoss is the mean over images and pixels of (v - v_pred)² with v = (x - z) / max(1 - tau, clamp) and v_pred likewise
// from the predicted image, which is ((x - pred) / max(1 - tau, clamp))² (JiT, arXiv 2511.13720, section 4). pred and x
// (B,3,ImgH,ImgW), tau (B), loss (1). It is the end of the tape: it seeds its own backward, scaled by the loss scale in
// o.Step where there is one.
func (t *Tape) VLoss(loss kernels.Tensor, pred *Var, x, tau kernels.Tensor, o kernels.VLossOptions) {
	t.push(&Var{Value: loss, name: "v-loss"}, []*Var{pred}, nil)
	var dpred *kernels.Tensor
	if pred.needs {
		t.seeded = true
		g, acc := t.into(pred)
		if acc {
			panic("autograd: VLoss: the prediction may have no other use")
		}
		dpred = &g
	}
	kernels.VLoss(t.P, loss, dpred, pred.Value, x, tau, o)
}
