// SPDX-License-Identifier: MIT

package trainer

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/model/checkpoint"
	"jitvk/model/run"
	"jitvk/model/sampler"
)

// TestStepsInPieces: where the weights take several allocations, five steps with a stop after the third end in the checkpoint and the
// pictures that one allocation and no stop end in. With -clip 0 all bits are equal. A norm in pieces is summed in another order, so
// with a clip that bites, the norms are equal but for rounding; the bits are equal as long as the clip is not reached.
func TestStepsInPieces(t *testing.T) {
	kerneltest.Device(t)
	c := parse(t, "-preset", "quick", "-stride", "8", "-dim", "64", "-depth", "2", "-heads", "1", "-batch", "2", "-steps", "5",
		"-warmup", "0", "-ema", "0.9", "-ema2", "0.5")
	limit := int64(128 << 10) // a step's temporaries fit
	for _, p := range c.Model.Params() {
		limit = max(limit, 4*int64(p.Len()))
	}
	for _, clip := range []float64{0, 1e6, 0.01} {
		c.Clip = clip
		wholeNorms, whole := outcomeOn(t, 0, c, 5)
		norms, pieces := outcomeOn(t, limit, c, 3, 5)
		for i := range norms {
			if !(wholeNorms[i] > 0.01 && math.Abs(norms[i]/wholeNorms[i]-1) < 1e-5) {
				t.Errorf("clip %g: step %d: gradient norm %g, in pieces %g", clip, i+1, wholeNorms[i], norms[i])
			}
		}
		if clip != 0.01 && !bytes.Equal(whole, pieces) {
			t.Errorf("clip %g: checkpoint or pictures are not those of one piece", clip)
		}
	}
}

// outcomeOn trains on a device with the driver's limit of allocations, 0, or with a smaller one, so that the weights are in pieces. It
// stops after each of so many steps and goes on from the checkpoint. It returns the norms of the steps' gradients and, as bytes, the
// last checkpoint and a picture that each average draws.
func outcomeOn(t *testing.T, limit int64, c run.Config, stops ...int) (norms []float64, bits []byte) {
	t.Helper()
	dev, err := engine.Open(engine.Options{Select: os.Getenv("JITVK_DEVICE"), MaxAllocation: limit})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	path := filepath.Join(t.TempDir(), run.CheckpointName)
	pictures := given{portraits(c.Batch, c.Model.Size), nil, 1}
	for i, stop := range stops {
		s, err := NewState(dev, c)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if n := len(s.weights.Ranges()); n > 1 != (limit > 0) {
			t.Fatalf("%d pieces with allocations of %d bytes (0: as the driver has it)", n, limit)
		}
		t.Logf("%d pieces", len(s.weights.Ranges()))
		if i == 0 {
			err = s.Init()
		} else {
			err = resume(s, path)
		}
		if err != nil {
			t.Fatal(err)
		}
		for s.at < stop {
			p, err := s.Step(pictures)
			if err != nil {
				t.Fatal(err)
			}
			r, err := p.Wait()
			if err != nil {
				t.Fatal(err)
			}
			norms = append(norms, float64(r.GradNorm))
		}
		if err := s.save(path); err != nil {
			t.Fatal(err)
		}
		if i+1 < len(stops) {
			continue
		}
		if bits, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		for _, average := range s.ema {
			samples, err := sampler.New(dev, s.m, average, 1, kernels.FP32)
			if err != nil {
				t.Fatal(err)
			}
			defer samples.Close()
			picture, err := samples.Sample(context.Background(), sampler.Options{N: 1, Steps: 2, Seed: 5})
			if err != nil {
				t.Fatal(err)
			}
			bits = slices.Concat(bits, kernels.Bytes(picture))
		}
	}
	return norms, bits
}

// resume loads a checkpoint's state.
func resume(s *State, path string) error {
	f, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	meta, err := run.Load(f)
	if err != nil {
		return err
	}
	return s.Load(f, meta)
}
