// SPDX-License-Identifier: MIT

package trainer

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/model"
	"jitvk/model/run"
)

// steps trains on portraits, two classes by turns where the model knows classes, and returns the outcomes and the state.
func steps(t *testing.T, c run.Config, n int) ([]Result, *State) {
	t.Helper()
	s, err := NewState(kerneltest.Device(t), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	labels := make([]uint32, c.Images())
	for i := range labels {
		labels[i] = uint32(i % 2)
	}
	random := rand.New(rand.NewPCG(1, 2))
	w := download(t, s.weights)
	for i := range w {
		w[i] += 0.05 * float32(random.NormFloat64()) // no layer is zero, or those below would have no gradient
	}
	if err := s.dev.UploadFrom(bytes.NewReader(kernels.Bytes(w)), s.weights.Ranges()...); err != nil {
		t.Fatal(err)
	}
	var out []Result
	for range n {
		p, err := s.Step(given{portraits(c.Images(), c.Model.Size), labels, int64(c.Accumulate)})
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Wait()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out, s
}

// moment downloads Adam's first moment, which after one step is the gradient, clipped and times 1 - beta1.
func moment(t *testing.T, s *State) []float32 {
	t.Helper()
	return download(t, s.moment1)
}

// download returns all of f, gaps included.
func download(t *testing.T, f *model.Flat) []float32 {
	t.Helper()
	data := new(bytes.Buffer)
	if err := kerneltest.Device(t).DownloadTo(data, f.Ranges()...); err != nil {
		t.Fatal(err)
	}
	return kernels.Floats(data.Bytes())
}

// withDropout is the paper's network with all that is drawn at random.
func withDropout(c run.Config) run.Config {
	c = c.WithClasses([]string{"even", "odd"})
	c.Model.Dropout, c.Model.LabelDrop = 0.2, 0.3
	return c
}

// TestAccumulateIsALargeBatch: gradients of several batches make the step of one large batch, but for rounding. Without the whole sweep
// each network takes one number of batches, in fp16 the one whose bound is tightest.
func TestAccumulateIsALargeBatch(t *testing.T) {
	for i, args := range []string{"-preset quick -stride 8", "-preset jit-quick", "-preset quick -stride 8 -precision fp16"} {
		c := parse(t, append(strings.Fields(args), "-dim", "32", "-depth", "4", "-heads", "1", "-batch", "12", "-warmup", "0")...)
		if c.Model.Arch == "jit" {
			c = withDropout(c)
		}
		want, whole := steps(t, c, 1)
		g := moment(t, whole)
		for j, n := range []int{12, 3, 2} {
			if i != j && !kerneltest.All() {
				continue
			}
			c.Batch, c.Accumulate = 12/n, n
			got, s := steps(t, c, 1)
			diff, norm := 0.0, 0.0
			for i, v := range moment(t, s) {
				diff += (float64(v) - float64(g[i])) * (float64(v) - float64(g[i]))
				norm += float64(g[i]) * float64(g[i])
			}
			diff = math.Sqrt(diff / norm)
			loss := math.Abs(float64(got[0].Loss/want[0].Loss) - 1)
			gradient := math.Abs(float64(got[0].GradNorm/want[0].GradNorm) - 1)
			t.Logf("%s: %d batches: gradient off by %.2g of its norm, norm by %.2g, loss by %.2g", args, n, diff, gradient, loss)
			bound := 1e-5
			// the scale, divided by 3, is rounded in its last bit, and fp16 operands may turn to a neighbour
			if c.Precision == "fp16" && n != 2 {
				bound = 1.0 / 2048
			}
			if !(diff < bound && loss < 1e-6 && gradient < bound) {
				t.Errorf("%s: %d batches are not one large one", args, n)
			}
		}
	}
	c := parse(t, "-preset", "quick", "-stride", "8", "-dim", "32", "-depth", "2", "-heads", "1", "-batch", "4", "-warmup", "0")
	want, _ := steps(t, c, 3)
	c.Batch, c.Accumulate = 2, 2
	got, _ := steps(t, c, 3) // each step's sum starts at zero
	for i := range want {
		if r := float64(got[i].GradNorm / want[i].GradNorm); !(math.Abs(r-1) < 0.01) {
			t.Errorf("step %d: gradient norm %g, %g in one batch", i+1, got[i].GradNorm, want[i].GradNorm)
		}
	}
}

// TestCheckpointBlocksKeepsTheBits: what is computed again gives the same step, in less memory. Without the whole sweep each network
// takes it in one precision; in fp32 that of overlapping patches accumulates, too.
func TestCheckpointBlocksKeepsTheBits(t *testing.T) {
	all := []string{"-preset quick -norm derf -precision fp16", "-preset jit-quick -precision bf16", "-preset quick -accumulate 2"}
	if kerneltest.All() {
		all = append(all, "-preset quick", "-preset jit-quick")
	}
	for _, args := range all {
		c := parse(t, append(strings.Fields(args), "-dim", "32", "-depth", "4", "-heads", "1", "-batch", "6", "-warmup", "0")...)
		if c.Model.Arch == "jit" {
			c = withDropout(c)
		}
		var states [2][]byte
		var arena [2]int64
		var flops [2]float64
		for i := range states {
			c.CheckpointBlocks = i == 1
			_, s := steps(t, c, 3)
			for _, part := range s.parts() {
				states[i] = append(states[i], kernels.Bytes(download(t, part.values))...)
			}
			arena[i], flops[i] = s.program.ArenaBytes(), s.FLOPs()
		}
		t.Logf("%s: arena %.2f MB, with checkpoints %.2f MB; %.2f times the operations", args, float64(arena[0])/1e6, float64(arena[1])/1e6,
			flops[1]/flops[0])
		if !bytes.Equal(states[0], states[1]) {
			t.Errorf("%s: weights, averages or moments differ after three steps", args)
		}
		if !(float64(arena[1]) < 0.7*float64(arena[0])) || !(flops[1] > 1.1*flops[0] && flops[1] < 1.4*flops[0]) {
			t.Errorf("%s: memory or operations are not those of blocks computed again", args)
		}
	}
}
