// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// AdamWOptions are the optimizer's constants; the learning rate and the bias corrections are in the step buffer.
type AdamWOptions struct {
	Beta1, Beta2 float32 // decay of the first and of the second moment
	Eps          float32 // added to the root of the second moment
	WeightDecay  float32 // decoupled: each step multiplies w by 1 - lr WeightDecay
	Clip         float32 // the gradient's L2 norm is scaled down to this; 0: off
	Before       *Tensor // norm of the step before, (1); nil: no step before this was skipped, or the step buffer counts for that
}

// AdamW is one optimizer step over flat tensors of one length; w, m and v are updated. g is first divided by the step's
// loss scale and multiplied by min(1, Clip/(norm + 1e-6)), norm being GradNorm's result over all parameters, loss scale
// included. Where that is not finite the step is skipped: nothing changes.
//
// The step's Bias1 and Bias2 are 1 - Beta1^t and 1 - Beta2^t, t being the number of steps so far, this one and none that was skipped
// included. Who fills the step buffer while the step before is under way cannot know whether that one counts. Then o.Before is that
// step's norm, and where it is not finite SkipBias1 and SkipBias2 take their place, which are for one step less.
// Source: arXiv 1711.05101, as PyTorch orders it.
func AdamW(p *engine.Program, w, g, m, v, norm, step Tensor, o AdamWOptions) {
	finite("AdamW", o.Beta1, o.Beta2, o.Eps, o.WeightDecay, o.Clip)
	check(norm.Len() == 1, "AdamW", "norm %v, (1) wanted", norm)
	before := engine.Nothing
	if o.Before != nil {
		check(o.Before.Len() == 1, "AdamW", "norm of the step before %v, (1) wanted", *o.Before)
		before = o.Before.Read()
	}
	push := struct {
		Count                          uint32
		Beta1, Beta2, Eps, Decay, Clip float32
	}{0, o.Beta1, o.Beta2, o.Eps, o.WeightDecay, o.Clip}
	flat(p, "AdamW", func(n int, t []Tensor) {
		push.Count = uint32(n)
		elementwise(p, "adamw", n, push, []uint32{flag(o.Before != nil), vec(p, n)}, t[0].ReadWrite(), t[2].ReadWrite(), t[3].ReadWrite(),
			t[1].Read(), norm.Read(), step.stepBuffer("AdamW"), before)
	}, w, g, m, v)
}
