// SPDX-License-Identifier: MIT

package engine

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
)

// resident returns the process's resident memory in bytes.
func resident(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skipf("SKIP: resident memory is read from /proc: %v", err)
	}
	var all, pages int64
	if _, err := fmt.Fscan(bytes.NewReader(text), &all, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// TestNothingLeaks does what a long run does over and over, and sees that the process does not grow.
func TestNothingLeaks(t *testing.T) {
	d := testDevice(t)
	x := buffer(t, d, 4096)
	download := func() {
		if _, err := d.Download(x.Range(0, 64)); err != nil {
			t.Fatal(err)
		}
	}
	build := func() {
		p := NewProgram(d, "built")
		defer p.Close()
		for range 40 {
			p.Dispatch(Dispatch{Shader: "add", Spec: []uint32{64, 1}, Bind: []Binding{Read(x.Range(0, 256)), Read(x.Range(256, 256)), Write(x.Range(512, 256))}})
		}
		if err := p.Build(); err != nil {
			t.Fatal(err)
		}
	}
	// Memory that an allocator takes once and keeps is no leak: what leaks grows in every round.
	const rounds, times = 5, 2000
	for name, f := range map[string]func(){"downloads": download, "builds": build} {
		var grown []int64
		for range rounds {
			debug.FreeOSMemory()
			before := resident(t)
			for range times {
				f()
			}
			debug.FreeOSMemory()
			grown = append(grown, resident(t)-before)
		}
		t.Logf("%d rounds of %d %s: %d bytes more", rounds, times, name, grown)
		slices.Sort(grown)
		if median := grown[rounds/2]; median > 128<<10 {
			t.Errorf("%d %s made the process grow by %d bytes", times, name, median)
		}
	}
}

// TestCollectorMayRun sets up, builds and runs with a collector that never rests, as under a memory limit.
func TestCollectorMayRun(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(1 << 20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 5 {
		d, err := Open(Options{Select: os.Getenv("JITVK_DEVICE")})
		if err != nil {
			t.Fatal(err)
		}
		x := buffer(t, d, 4096)
		p := NewProgram(d, "built")
		for range 200 {
			p.Dispatch(Dispatch{Shader: "add", Spec: []uint32{64, 1}, Bind: []Binding{Read(x.Range(0, 256)), Read(x.Range(256, 256)), Write(x.Range(512, 256))}})
		}
		if err := p.Build(); err != nil {
			t.Fatal(err)
		}
		run(t, p, nil, nil)
		p.Close()
		d.Close()
	}
	runtime.ReadMemStats(&after)
	t.Logf("%d collections", after.NumGC-before.NumGC)
}
