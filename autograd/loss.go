// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// FlowLoss is the mean over images and pixels of the squared error, taken in o.Loss, of a network that predicts o.Predict: the
// image x, the noise or the velocity (JiT, arXiv 2511.13720, section 4; kernels.FlowLoss has the table). pred (B,3,ImgH,ImgW); x
// and noise alike, or nil where what is predicted is not made of them; tau (B), loss (1). It is the end of the tape: it seeds
// its own backward, scaled by the loss scale in o.Step where there is one.
func (t *Tape) FlowLoss(loss kernels.Tensor, pred *Var, x, noise *kernels.Tensor, tau kernels.Tensor, o kernels.FlowLossOptions) {
	t.push(&Var{Value: loss, tape: t, name: "flow loss"}, t.take("flow loss", pred), nil)
	var dpred *kernels.Tensor
	if pred.needs {
		t.seeded = true
		g := t.only("flow loss", pred)
		dpred = &g
	}
	kernels.FlowLoss(t.P, loss, dpred, pred.Value, x, noise, tau, o)
}
