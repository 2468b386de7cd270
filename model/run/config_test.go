// SPDX-License-Identifier: MIT

package run

import (
	"math"
	"testing"
)

func TestScheduleOfTheLearningRate(t *testing.T) {
	c := Recipe{Steps: 1000, LR: 2, Warmup: 100, Cooldown: 0.5}
	for step, want := range map[int]float64{0: 0.02, 99: 2, 300: 2, 500: 2, 750: 1} {
		if got := c.LearningRate(step); math.Abs(got-want) > 1e-9 {
			t.Errorf("step %d: %g, want %g", step, got, want)
		}
	}
	if got := c.LearningRate(999); !(got > 0 && got < 0.001) {
		t.Errorf("last step: %g", got)
	}
}
