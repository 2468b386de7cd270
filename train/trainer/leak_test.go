// SPDX-License-Identifier: MIT

package trainer

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"jitvk/kernels/kerneltest"
	"jitvk/model/run"
)

// TestTenThousandStepsAtConstantMemory replays a small training step: neither the device's memory nor the process's grows. Without the
// whole sweep it takes 2000 steps, in which a leak must be of 1 kB a step to be seen, and not of 200 bytes.
func TestTenThousandStepsAtConstantMemory(t *testing.T) {
	if testing.Short() || os.Getenv("JITVK_VALIDATE") == "1" { // the validation layer takes ten times as long
		t.Skip("takes seconds")
	}
	steps := 2_000
	if kerneltest.All() {
		steps = 10_000
	}
	dev := kerneltest.Device(t)
	before := dev.Stats()
	c, err := run.Parse(strings.Fields("-preset quick -size 8 -patch 4 -stride 4 -dim 8 -depth 1 -heads 1 -batch 1 -lr 1e-4 -steps 20000"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewState(dev, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	pictures := given{portraits(c.Batch, c.Model.Size), nil, 1}
	run := func(n int) {
		var pending []Pending // two under way, as training has them
		for i := range n {
			p, err := s.Step(pictures)
			if err != nil {
				t.Fatal(err)
			}
			if pending = append(pending, p); len(pending) == 2 || i == n-1 {
				for len(pending) > 1 || i == n-1 && len(pending) > 0 {
					if _, err := pending[0].Wait(); err != nil {
						t.Fatal(err)
					}
					pending = pending[1:]
				}
			}
		}
	}
	run(steps / 4) // what is made once is made: pools, staging, the driver's caches
	device, rss, routines := dev.Stats(), resident(t), runtime.NumGoroutine()
	run(steps)
	if now := dev.Stats(); now != device {
		t.Errorf("device memory after %d steps %+v, before %+v", steps, now, device)
	}
	if now := runtime.NumGoroutine(); now > routines {
		t.Errorf("%d goroutines, %d before", now, routines)
	}
	// A leak of 200 bytes a step would be 2 MB in 10,000 steps, every time. What is not one goes up and down by a third of a MB, and now
	// and then by more on a busy machine, but not twice in a row.
	for round := 1; ; round++ {
		now := resident(t)
		t.Logf("resident memory %.1f MB, after %d steps %.1f MB", float64(rss)/1e6, steps, float64(now)/1e6)
		if now <= rss+2<<20 {
			break
		}
		if round == 2 {
			t.Errorf("resident memory grew to %d bytes in %d steps, and more than 2 MB in the %d before", now, steps, steps)
			break
		}
		rss = now
		run(steps)
	}
	s.Close()
	if now := dev.Stats(); now.Buffers != before.Buffers || now.Bytes != before.Bytes {
		t.Errorf("after Close %+v, before %+v", now, before)
	}
}

// resident returns the bytes of memory that the process holds, garbage collected; 0 where the system does not say.
func resident(t *testing.T) int64 {
	runtime.GC()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
