// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// The path of flow matching from noise (tau 0) to image (tau 1), and its loss. JiT, arXiv 2511.13720.

// NoiseMix is z = tau x + (1 - tau) noiseScale eps, one tau an image. z, x, eps (B,…), tau (B).
func NoiseMix(p *engine.Program, z, x, eps, tau Tensor, noiseScale float32) {
	b, width := imageShape("NoiseMix", tau, z, x, eps)
	for _, s := range spans(p, "NoiseMix", b, 1, width) {
		push := struct {
			Images, Count, Blocks, First uint32
			NoiseScale                   float32
		}{uint32(s.n), uint32(width), uint32(ceilDiv(width, blockSize(p))), uint32(s.first), noiseScale}
		blocked(p, "noisemix", s.n, width, push, nil,
			piece(z, s, width).Write(), piece(x, s, width).Read(), piece(eps, s, width).Read(), tau.Read())
	}
}

// VLossOptions are VLoss's constants.
type VLossOptions struct {
	TauClamp float32 // 1 - tau is at least this; JiT takes 0.05
	Step     *Tensor // step buffer, whose loss_scale multiplies the gradient; nil: 1
}

// VLoss is the mean over all elements of (x - pred)²/max(1 - tau, TauClamp)², which is the squared error of the velocity
// when the target's 1 - tau is clamped as the prediction's is. dpred, if not nil, is its gradient with respect to pred,
// times the loss scale. loss (1); dpred, pred, x (B,…); tau (B). The sum is in fp32 by partial sums of 1024 terms at most.
func VLoss(p *engine.Program, loss Tensor, dpred *Tensor, pred, x, tau Tensor, o VLossOptions) {
	check(loss.Len() == 1 && o.TauClamp > 0, "VLoss", "loss %v, (1) wanted; tau clamp %g, above 0 wanted", loss, o.TauClamp)
	b, width := imageShape("VLoss", tau, pred, x)
	blocks := ceilDiv(width, blockSize(p))
	part := Temp(p, "vloss partial sums", b*blocks)
	for _, s := range spans(p, "VLoss", b, 1, width) {
		push := struct {
			Images, Count, Blocks, First uint32
			TauClamp                     float32
		}{uint32(s.n), uint32(width), uint32(blocks), uint32(s.first), o.TauClamp}
		blocked(p, "vloss_fwd", s.n, width, push, nil,
			part.Write(), piece(pred, s, width).Read(), piece(x, s, width).Read(), tau.Read())
	}
	reduce(p, loss, part, 1/float64(b*width), false)
	if dpred == nil {
		return
	}
	same("VLoss", *dpred, pred)
	for _, s := range spans(p, "VLoss", b, 1, width) {
		push := struct {
			Images, Count, Blocks, First uint32
			TauClamp, Factor             float32
		}{uint32(s.n), uint32(width), uint32(blocks), uint32(s.first), o.TauClamp, float32(2 / float64(b*width))}
		predPart := piece(pred, s, width)
		step := predPart // something to bind where there is none
		if o.Step != nil {
			step = *o.Step
		}
		blocked(p, "vloss_bwd", s.n, width, push, []uint32{flag(o.Step != nil)},
			piece(*dpred, s, width).Write(), predPart.Read(), piece(x, s, width).Read(), tau.Read(), step.Read())
	}
}

// imageShape checks tensors of one size with one value of tau for each of their first dimension.
func imageShape(op string, tau Tensor, ts ...Tensor) (images, width int) {
	n := same(op, ts...)
	ok := tau.Contiguous() && tau.Len() == ts[0].Shape[0]
	check(ok, op, "tau %v, (%d) wanted for %v", tau, ts[0].Shape[0], ts)
	return tau.Len(), n / tau.Len()
}
