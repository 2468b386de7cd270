// SPDX-License-Identifier: MIT

package trainer

import (
	"cmp"
	"os"
	"slices"
	"testing"
	"time"

	"jitvk/kernels/kerneltest"
)

// TestProfile prints where a training step's time goes: JITVK_PROFILE=quick go test -v -run TestProfile ./train/trainer.
func TestProfile(t *testing.T) {
	preset := os.Getenv("JITVK_PROFILE")
	if preset == "" {
		t.Skip("JITVK_PROFILE names the preset to profile")
	}
	c, err := Parse([]string{"-preset", preset})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newState(kerneltest.Device(t), c, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	type sum struct {
		name         string
		n            int
		time         time.Duration
		flops, bytes float64
	}
	sums := map[string]*sum{}
	const steps = 10
	var total time.Duration
	for i := range steps + 2 {
		p, err := s.Step(portraits(c.Batch, c.Model.Size), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Wait(); err != nil {
			t.Fatal(err)
		}
		if i < 2 {
			continue // warm-up
		}
		timings, err := s.program.Timings()
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range timings {
			v := sums[x.Shader]
			if v == nil {
				v = &sum{name: x.Shader}
				sums[x.Shader] = v
			}
			v.n, v.time, v.flops, v.bytes = v.n+1, v.time+x.Time, v.flops+x.FLOPs, v.bytes+x.Bytes
			total += x.Time
		}
	}
	var list []*sum
	for _, v := range sums {
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b *sum) int { return cmp.Compare(b.time, a.time) })
	t.Logf("%-28s %8s %10s %7s %9s %8s", "shader", "a step", "us a step", "share", "GFLOP/s", "GB/s")
	for _, v := range list {
		t.Logf("%-28s %8d %10.0f %6.1f%% %9.2f %8.2f", v.name, v.n/steps, v.time.Seconds()*1e6/steps, 100*v.time.Seconds()/total.Seconds(),
			v.flops/v.time.Seconds()/1e9, v.bytes/v.time.Seconds()/1e9)
	}
	t.Logf("%.2f ms a step, %.1f images/s", total.Seconds()*1e3/steps, float64(c.Batch*steps)/total.Seconds())
}
