// SPDX-License-Identifier: MIT

package trainer

import "fmt"

// A lossScaler keeps gradients within fp16's range (Micikevicius et al., arXiv 1710.03740): the loss's gradient is multiplied by
// a scale that the optimizer divides by again. The scale halves when a gradient overflows, and the step is skipped; it doubles
// after a long time without. These are PyTorch's numbers.
//
// Two steps may be under way at once. The scale of a step follows from the outcomes of all steps but the one right before it,
// whether or not that one has been waited for, so that equal runs have equal scales.
//
// Its JSON is part of a checkpoint.
type lossScaler struct {
	on       bool
	Scale    float32 `json:"scale"`
	Good     int     `json:"good"`     // steps since the scale changed
	Skipped  int     `json:"skipped"`  // steps in all
	Outcomes []bool  `json:"outcomes"` // of steps that the scale does not know of yet: true is finite
}

const (
	firstScale = 65536
	growAfter  = 2000
	largest    = 1 << 24
)

func newLossScaler(precision string) lossScaler {
	if precision == "fp16" {
		return lossScaler{on: true, Scale: firstScale}
	}
	return lossScaler{Scale: 1}
}

// next returns the scale of the step that is about to begin. It goes by the outcomes of the steps before, all but the last one's. That
// one waits in Outcomes even if it is known already: the host may have been faster this time, and the scale must not tell. under is how
// many steps before this one have no outcome yet, none or one. For example: with none under way and two outcomes in wait, the older one
// changes the scale and the newer one stays.
func (l *lossScaler) next(under int) float32 {
	for len(l.Outcomes) > 1-under && len(l.Outcomes) > 0 {
		finite := l.Outcomes[0]
		l.Outcomes = l.Outcomes[1:]
		if l.Good++; !finite {
			l.Scale, l.Good = l.Scale/2, 0
		} else if l.Good >= growAfter && l.Scale < largest {
			l.Scale, l.Good = 2*l.Scale, 0
		}
	}
	return l.Scale
}

// done notes a step's outcome. It returns an error where no scale is small enough, and where the weights have changed by a loss that
// is not finite: no scale mends that.
func (l *lossScaler) done(r Result) error {
	if r.Loss-r.Loss != 0 && !r.Skipped || r.Skipped && (!l.on || l.Scale < 1) {
		return fmt.Errorf("train: loss %v and gradient norm %v at step %d: training has diverged; try a lower -lr or a longer -warmup",
			r.Loss, r.GradNorm, r.Step)
	}
	if r.Skipped {
		l.Skipped++
	}
	if l.on { // else the scale stays 1
		l.Outcomes = append(l.Outcomes, !r.Skipped)
	}
	return nil
}
