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
		blocked(p, "noisemix", s.n, width, push, []uint32{vec(p, width)},
			piece(z, s, width).Write(), piece(x, s, width).Read(), piece(eps, s, width).Read(), tau.Read())
	}
}

// FlowLossOptions say what a network predicts and where the error is taken.
type FlowLossOptions struct {
	Predict, Loss Kind
	TauClamp      float32 // 1 - tau, or tau, is at least this where it divides; JiT takes 0.05
	NoiseScale    float32 // as NoiseMix has it
	Step          *Tensor // step buffer, whose loss_scale multiplies the gradient; nil: 1
}

// FlowLoss is the mean over all elements of a(tau)² (u - pred)²: the squared error in o.Loss of a network that predicts
// o.Predict, u being x, e = noiseScale noise, or v = x - e. Table 1 of JiT turns each into the others with z = tau x + (1 - tau) e:
//
//	predicted   a for a loss in x    in e                 in v
//	x           1                    tau / (1 - tau)      1 / (1 - tau)
//	e           (1 - tau) / tau      1                    1 / tau
//	v           1 - tau              tau                  1
//
// Denominators are at least TauClamp, in the target as in the prediction, so that z drops out and need not be read. dpred, if
// not nil, is the gradient with respect to pred, times the loss scale. loss (1); dpred, pred (B,…); x, noise like pred, or nil
// where u does not need them; tau (B). The sum is in fp32 by partial sums of 1024 terms at most.
func FlowLoss(p *engine.Program, loss Tensor, dpred *Tensor, pred Tensor, x, noise *Tensor, tau Tensor, o FlowLossOptions) {
	const op = "FlowLoss"
	check(loss.Len() == 1 && o.TauClamp > 0 && o.Predict <= V && o.Loss <= V, op,
		"loss %v, (1) wanted; tau clamp %g, above 0 wanted; predict %d, loss %d, X, Eps or V wanted", loss, o.TauClamp, o.Predict, o.Loss)
	finite(op, o.TauClamp, o.NoiseScale)
	b, width := imageShape(op, tau, pred)
	// operand binds a piece of x or noise, or nothing where the target is not made of it.
	operand := func(t *Tensor, name string, kind Kind, s span) engine.Binding {
		if o.Predict != kind && o.Predict != V {
			return engine.Nothing
		}
		check(t != nil, op, "prediction of %v: %s wanted", o.Predict, name)
		same(op, pred, *t)
		return piece(*t, s, width).Read()
	}
	blocks := ceilDiv(width, blockSize(p))
	part := Temp(p, "flow loss partial sums", b*blocks)
	spec := []uint32{uint32(o.Predict), uint32(o.Loss)}
	for _, s := range spans(p, op, b, 1, width) {
		push := struct {
			Images, Count, Blocks, First uint32
			TauClamp, NoiseScale         float32
		}{uint32(s.n), uint32(width), uint32(blocks), uint32(s.first), o.TauClamp, o.NoiseScale}
		blocked(p, "flowloss_fwd", s.n, width, push, append(spec, vec(p, width)),
			part.Write(), piece(pred, s, width).Read(), operand(x, "x", X, s), operand(noise, "noise", Eps, s), tau.Read())
	}
	reduce(p, loss, part, 1/float64(b*width), false)
	if dpred == nil {
		return
	}
	same(op, *dpred, pred)
	for _, s := range spans(p, op, b, 1, width) {
		push := struct {
			Images, Count, Blocks, First uint32
			TauClamp, NoiseScale, Factor float32
		}{uint32(s.n), uint32(width), uint32(blocks), uint32(s.first), o.TauClamp, o.NoiseScale, float32(2 / float64(b*width))}
		step := engine.Nothing
		if o.Step != nil {
			step = o.Step.stepBuffer(op)
		}
		blocked(p, "flowloss_bwd", s.n, width, push, append(spec, flag(o.Step != nil), vec(p, width)),
			piece(*dpred, s, width).Write(), piece(pred, s, width).Read(), operand(x, "x", X, s), operand(noise, "noise", Eps, s),
			tau.Read(), step)
	}
}

// imageShape checks tensors of one size with one value of tau for each of their first dimension.
func imageShape(op string, tau Tensor, ts ...Tensor) (images, width int) {
	n := same(op, ts...)
	ok := tau.Contiguous() && tau.Len() == ts[0].Shape[0]
	check(ok, op, "tau %v, (%d) wanted for %v", tau, ts[0].Shape[0], ts)
	return tau.Len(), n / tau.Len()
}
