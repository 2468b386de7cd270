// SPDX-License-Identifier: MIT

package trainer

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
	"jitvk/model"
	"jitvk/model/run"
)

// overflows are steps, from 0 on, whose loss scale is so large that a gradient must overflow: the first, one alone, two on end, the last.
var overflows = []int{0, 3, 6, 7, 11}

const forcedSteps = 12

// forced is a run of fp16 that skips the steps of overflows.
func forced(t *testing.T, accumulate int) *State {
	t.Helper()
	c := parse(t, strings.Fields(fmt.Sprintf("-preset quick -precision fp16 "+
		"-dim 32 -depth 2 -heads 1 -batch 4 -steps %d -warmup 3 -lr 0.01 "+
		"-accumulate %d", forcedSteps, accumulate))...)
	_, s := steps(t, c, 0)
	return s
}

// force begins the state's next step, of overflows or not.
func force(t *testing.T, s *State) Pending {
	t.Helper()
	s.scaler.Scale = firstScale
	if slices.Contains(overflows, s.at) {
		s.scaler.Scale = 0x1p100
	}
	p, err := s.Step(given{portraits(s.Images(), s.Config.Model.Size), nil, int64(s.Accumulate)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// outcomeOf waits for a step of force.
func outcomeOf(t *testing.T, p Pending) Result {
	t.Helper()
	r, err := p.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if want := slices.Contains(overflows, r.Step-1); r.Skipped != want {
		t.Fatalf("step %d skipped %t, want %t", r.Step, r.Skipped, want)
	}
	return r
}

// saved writes the state's checkpoint, and returns its path and its bytes.
func saved(t *testing.T, s *State) (path string, data []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), run.CheckpointName)
	err := s.save(path)
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path, data
}

// TestSkippedStepsDoNotCount compares a run that skips steps with float64's GradScaler, AdamW and average: a step that was skipped
// changes neither weights nor moments nor the count in the bias corrections, and the average goes on.
func TestSkippedStepsDoNotCount(t *testing.T) {
	s := forced(t, 1)
	if err := s.dev.Once("average", func(p *engine.Program) { s.ema[0].Copy(p, s.weights) }); err != nil {
		t.Fatal(err)
	}
	wide := func(f *model.Flat) []float64 { return kerneltest.Widen(download(t, f)) }
	w, m, v, ema, count := wide(s.weights), wide(s.moment1), wide(s.moment2), wide(s.ema[0]), 0
	for at := range forcedSteps {
		p := force(t, s)
		r := outcomeOf(t, p)
		if norm := float64(r.GradNorm) * float64(p.scale); !r.Skipped {
			count++
			ref.AdamW(w, wide(s.grads), m, v, norm, ref.AdamWOptions[float64]{Beta1: beta1, Beta2: beta2, Eps: eps, Clip: s.Clip,
				LR: r.LR, LossScale: float64(p.scale),
				Bias1: 1 - math.Pow(beta1, float64(count)), Bias2: 1 - math.Pow(beta2, float64(count))})
		}
		ref.EMA(ema, w, s.EMAAt(s.EMA, at))
		for _, x := range []struct {
			name  string
			got   *model.Flat
			want  []float64
			bound float64 // of the largest value's size, for moments; of the learning rate, for weights, which move by about as much
		}{{"weights", s.weights, w, 1e-3 * s.Config.LR}, {"average", s.ema[0], ema, 1e-3 * s.Config.LR},
			{"adam m", s.moment1, m, 1e-5 * largestOf(m)}, {"adam v", s.moment2, v, 1e-5 * largestOf(v)}} {
			off := 0.0
			for i, got := range wide(x.got) {
				if d := math.Abs(got - x.want[i]); !(d <= off) { // NaN too
					off = d
				}
			}
			if !(off <= x.bound) {
				t.Errorf("step %d: %s off by %g, at most %g wanted", at+1, x.name, off, x.bound)
			}
		}
		if t.Failed() {
			return
		}
	}
}

func largestOf(x []float64) (most float64) {
	for _, v := range x {
		most = max(most, math.Abs(v))
	}
	return max(most, 1e-30)
}

// TestSkipsInFlight: a run in which each step begins while the one before is under way, and one that goes on from a checkpoint right
// after a step that was skipped, end with the bits of a run that waits for each step.
func TestSkipsInFlight(t *testing.T) {
	for _, accumulate := range []int{1, 2} {
		waits := forced(t, accumulate)
		for range forcedSteps {
			outcomeOf(t, force(t, waits))
		}
		_, want := saved(t, waits)

		overlaps := forced(t, accumulate)
		overlap := func(s *State, n int) {
			before := force(t, s)
			for range n - 1 {
				p := force(t, s)
				outcomeOf(t, before)
				before = p
			}
			outcomeOf(t, before)
		}
		overlap(overlaps, forcedSteps)
		if _, got := saved(t, overlaps); !bytes.Equal(got, want) {
			t.Errorf("accumulate %d: two steps under way give other bits", accumulate)
		}
		for _, stop := range []int{1, 7, 8, 9} {
			first, second := forced(t, accumulate), forced(t, accumulate)
			overlap(first, stop)
			path, _ := saved(t, first)
			if err := resume(second, path); err != nil {
				t.Fatal(err)
			}
			overlap(second, forcedSteps-stop)
			if _, got := saved(t, second); !bytes.Equal(got, want) {
				t.Errorf("accumulate %d: going on after step %d gives other bits", accumulate, stop)
			}
		}
	}
}
