// SPDX-License-Identifier: MIT

package trainer

import (
	"math"
	"strings"
	"testing"

	"jitvk/kernels/kerneltest"
	"jitvk/model/run"
)

// TestLossScale plays outcomes to a scaler, each step waited for at once or one step late: the scales are the same.
func TestLossScale(t *testing.T) {
	finite := func(step int) bool { return step != 3 && step != 4 && step != 2010 }
	var scales [2][]float32
	for late := range 2 {
		l, known := newLossScaler("fp16"), 0
		for step := range 4100 {
			for ; known < step-late; known++ {
				if err := l.done(Result{Step: known, Skipped: !finite(known)}); err != nil {
					t.Fatal(err)
				}
			}
			scales[late] = append(scales[late], l.next(step-known))
		}
		if l.Skipped != 3 {
			t.Errorf("%d steps skipped, want 3", l.Skipped)
		}
	}
	for step, s := range scales[0] {
		want := float32(firstScale)
		switch {
		case step >= 5: // step 3's overflow is known
			want /= 2
		}
		switch {
		case step >= 6+growAfter: // 2000 finite steps, 5 to 2004, after the second overflow
			want = firstScale / 2
		case step >= 6:
			want = firstScale / 4
		}
		if step >= 2012 {
			want = firstScale / 4
		}
		if step >= 2012+growAfter {
			want = firstScale / 2
		}
		if s != want || scales[1][step] != want {
			t.Fatalf("step %d: scale %g, or %g where results come late; want %g", step, s, scales[1][step], want)
		}
	}
	l := newLossScaler("fp32")
	if l.next(0) != 1 || l.done(Result{Skipped: true}) == nil {
		t.Error("fp32 is scaled, or skips a step")
	}
	l = newLossScaler("fp16")
	nan := float32(math.NaN())
	if l.done(Result{Loss: nan, Skipped: true}) != nil || l.Skipped != 1 {
		t.Error("a step that was skipped ends the run, or is not counted")
	}
	if l.done(Result{Loss: nan}) == nil || l.Skipped != 1 {
		t.Error("a loss that is not finite, where the weights were updated all the same, counts as skipped")
	}
}

// TestHalvesInMemory: each network takes its first steps in fp16 and bf16 with the loss and the size of the gradient of fp32, and what it
// keeps in halves takes less memory than its weights' halves add.
//
// A value is rounded some ten times in a block and on its way back, by 2^-11 of it in fp16 and 2^-8 in bf16, so through four blocks and
// back, if nothing cancels, by less than 80 times as much. Roundings go either way: a hundredth of that, or less, is what is seen.
func TestHalvesInMemory(t *testing.T) {
	for _, args := range []string{"-preset quick", "-preset quick -norm derf", "-preset jit-quick"} {
		var loss, norm [3]float64
		var arena [3]int64
		for i, name := range []string{"fp32", "fp16", "bf16"} {
			c := parse(t, append(strings.Fields(args), "-dim", "32", "-depth", "4", "-heads", "1", "-batch", "32", "-warmup", "0",
				"-precision", name)...)
			if c.Model.Arch == "jit" {
				c = withDropout(c)
			}
			results, s := steps(t, c, 3)
			loss[i], arena[i] = float64(results[2].Loss), s.program.ArenaBytes()
			if d := loss[i] / loss[0]; !(d > 0.98 && d < 1.02) || results[2].Skipped {
				t.Errorf("%s, %s: loss %v at step 3, %v in fp32", args, name, loss[i], loss[0])
			}
			norm[i] = float64(results[2].GradNorm)
			if d, most := norm[i]/norm[0]-1, [...]float64{0, 80 * 0x1p-11, 80 * 0x1p-8}[i]; !(math.Abs(d) <= most) {
				t.Errorf("%s, %s: a gradient of %v at step 3, %v in fp32", args, name, norm[i], norm[0])
			}
		}
		t.Logf("%s: arena %.2f MB, %.2f MB in fp16; gradients in fp16 %+.1e, in bf16 %+.1e of fp32's", args, float64(arena[0])/1e6,
			float64(arena[1])/1e6, norm[1]/norm[0]-1, norm[2]/norm[0]-1)
		if arena[1] >= arena[0] || arena[2] != arena[1] {
			t.Errorf("%s: arenas of %d bytes in fp32, fp16, bf16", args, arena)
		}
	}
}

// TestHalfPrecisionTrains: with operands in fp16 and in bf16 the loss falls as in fp32.
func TestHalfPrecisionTrains(t *testing.T) {
	losses := map[string]float64{}
	for _, name := range []string{"fp32", "fp16", "bf16"} {
		c, err := run.Parse([]string{"-preset", "quick", "-stride", "8", "-dim", "64", "-depth", "2", "-heads", "1", "-batch", "8",
			"-steps", "60", "-precision", name, "-warmup", "5"})
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewState(kerneltest.Device(t), c)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Init(); err != nil {
			t.Fatal(err)
		}
		for i := range c.Steps {
			p, err := s.Step(given{portraits(c.Batch, c.Model.Size), nil, 1})
			if err != nil {
				t.Fatal(err)
			}
			r, err := p.Wait()
			if err != nil {
				t.Fatal(err)
			}
			if i >= c.Steps-20 {
				losses[name] += float64(r.Loss) / 20
			}
		}
		t.Logf("%s: loss %.4f, %d steps skipped", name, losses[name], s.scaler.Skipped)
	}
	for name, loss := range losses {
		if d := loss / losses["fp32"]; !(d > 0.95 && d < 1.05) {
			t.Errorf("%s: loss %g, fp32 %g", name, loss, losses["fp32"])
		}
	}
}
