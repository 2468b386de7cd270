// SPDX-License-Identifier: MIT

package kernels_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
)

// An op under test: it makes its tensors and returns what to record and what that writes.
type op func(h *kerneltest.Run) (record func(p *engine.Program), outputs []kernels.Tensor)

// stable runs an op three times, the third as if a binding reached no further than limit bytes, demands the same bits
// of all three, and returns the outputs.
func stable(t *testing.T, limit int64, f op) [][]float32 {
	t.Helper()
	run := func() (bits [][]uint32, floats [][]float32) {
		h := kerneltest.New(t)
		record, outputs := f(h)
		h.Run(record)
		for _, o := range outputs {
			bits, floats = append(bits, h.Bits(o)), append(floats, h.Floats(o))
		}
		return bits, floats
	}
	first, floats := run()
	again, _ := run()
	kernels.SetRangeLimit(limit)
	defer kernels.SetRangeLimit(0)
	cut, _ := run()
	for i := range first {
		if !slices.Equal(first[i], again[i]) {
			t.Errorf("output %d: two runs differ", i)
		}
		if !slices.Equal(first[i], cut[i]) {
			t.Errorf("output %d: cut into pieces of %d bytes, it differs", i, limit)
		}
	}
	return floats
}

// flatSizes are around the cuts of elementwise kernels: lanes, workgroups of 1024 elements, a prime.
var flatSizes = []int{1, 7, 8, 1023, 1024, 1025, 4099}

// limit cuts a flat tensor of n floats into about three pieces.
func limit(n int) int64 { return int64(max(256, n/3*4)) }

// A limit cuts an op into as few pieces as it allows, and one that no piece fits into is refused.
func TestRangeLimit(t *testing.T) {
	h := kerneltest.New(t)
	x, ab := h.Output(1000), h.Output(3, 2002)
	for _, c := range []struct {
		limit int64
		want  int
	}{{0, 1}, {4000, 1}, {3999, 2}, {256, 16}} {
		kernels.SetRangeLimit(c.limit)
		p := engine.NewProgram(kerneltest.Device(t), "pieces")
		kernels.Add(p, x, x, x)
		if p.Len() != c.want {
			t.Errorf("1000 floats, %d bytes a binding: %d dispatches, want %d", c.limit, p.Len(), c.want)
		}
	}
	kernels.SetRangeLimit(256)
	defer kernels.SetRangeLimit(0)
	p := engine.NewProgram(kerneltest.Device(t), "misuse")
	defer p.Close()
	kernels.SwiGLU(p, h.Output(3, 1001), ab, kernels.SwiGLUOptions{})
	if err := p.Build(); err == nil || !strings.Contains(err.Error(), "256") {
		t.Errorf("rows longer than a binding of 256 bytes: %v", err)
	}
}

// A piece of a view, whose first row lies off floats into it, reaches no further than a binding, even where as many rows as
// that holds leave less than off floats over.
func TestViewAtTheLimit(t *testing.T) {
	d, err := engine.Open(engine.Options{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	const ld, width = 2304, 64
	n, left := int(d.Info().MaxStorageBufferRange/4/ld), int(d.Info().MaxStorageBufferRange/4%ld)
	buffer := func(floats int) engine.Range {
		b, err := d.NewBuffer("large", 4*int64(floats))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		return b.All()
	}
	x := kernels.Tensor{Shape: []int{n + 1, width}, Range: buffer((n + 2) * ld), Ld: ld, Off: left + 1}
	y, w := kernels.View(buffer((n+1)*width), n+1, width), kernels.View(buffer(width), width)
	p := engine.NewProgram(d, "pieces")
	defer p.Close()
	kernels.Derf(p, y, x, w, w)
	if p.Len() != 2 {
		t.Errorf("%d dispatches, want 2", p.Len())
	}
	if err := p.Build(); err != nil { // a binding that is too long is a limit's error
		t.Error(err)
	}
}

// Flat tensors beyond lavapipe's 128 MiB a binding; constant, so that nothing is uploaded.
func TestBeyondBindingLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("needs 700 MB")
	}
	d := kerneltest.Device(t)
	const n = 1<<25 + 1000 // floats; 1 << 25 are 128 MiB
	const grads = 114_591_040
	buffer := func(floats int) kernels.Tensor {
		b, err := d.NewBuffer("large", 4*int64(floats))
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(b.Close)
		return kernels.View(b.All(), floats)
	}
	h := kerneltest.New(t)
	a, b, m, v, g, norm := buffer(n), buffer(n), buffer(n), buffer(n), buffer(grads), h.Output(1)
	step := h.Step(kernels.Step{LR: 0.5, Bias1: 0.1, Bias2: 0.01, EMADecay: [2]float32{0.75}, LossScale: 1})
	h.Run(func(p *engine.Program) {
		p.Fill(a.Range, math.Float32bits(1))
		p.Fill(b.Range, math.Float32bits(2))
		p.Fill(m.Range, 0)
		p.Fill(v.Range, 0)
		p.Fill(g.Range, math.Float32bits(0.125))
		kernels.GradNorm(p, norm, g)
		kernels.Add(p, a, a, b)                                                                            // a = 3
		kernels.EMA(p, a, b, step, 0)                                                                      // a = 2.75
		kernels.AdamW(p, a, b, m, v, norm, step, kernels.AdamWOptions{Beta1: 0.9, Beta2: 0.99, Eps: 1e-8}) // first step: a - lr
	})
	kerneltest.Equal(t, "norm", h.Floats(norm), []float64{0.125 * math.Sqrt(grads)}, 1e-5)
	for _, at := range []int{0, 1<<25 - 64, n - 1000, n - 64} { // multiples of 64 floats
		at -= at % 64
		part := kernels.Tensor{Shape: []int{64}, Range: a.Range.Sub(4*int64(at), min(256, 4*int64(n-at)))}
		for i, got := range h.Floats(part) {
			if math.Abs(float64(got)-2.25) > 1e-5 {
				t.Fatalf("element %d is %v, want 2.25", at+i, got)
			}
		}
	}
}

// TestFailures: what a device cannot do, or cannot be asked for, fails the program that records it, with what and how much.
func TestFailures(t *testing.T) {
	for name, test := range map[string]struct {
		record func(p *engine.Program)
		rungs  string
		want   string
	}{
		"an item beyond a binding": {func(p *engine.Program) {
			kernels.SetRangeLimit(256)
			defer kernels.SetRangeLimit(0)
			x := kernels.Temp(p, "x", 2, 100)
			p.Fill(x.Range, 0)
			kernels.NoiseMix(p, kernels.Temp(p, "z", 2, 100), x, x, kernels.View(x.Range, 2), 1)
		}, "", "NoiseMix, for the least that it can do at a time, needs 6400 bytes a binding"},
		"no such rung": {func(p *engine.Program) {
			a := kernels.Temp(p, "a", 4, 4)
			p.Fill(a.Range, 0)
			kernels.MatMul(p, kernels.Temp(p, "c", 4, 4), a, a, kernels.MatMulOptions{})
		}, "07_none", `there is no rung "07_none"`},
	} {
		p := engine.NewProgram(kerneltest.Device(t), name)
		kernels.WithRungs(test.rungs, func() { test.record(p) })
		if err := p.Build(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
		p.Close()
	}
}

// TestWorkgroupsOfSmallDevices: no workgroup is larger than its device allows; Vulkan promises 128 invocations.
func TestWorkgroupsOfSmallDevices(t *testing.T) {
	for _, c := range []struct{ most, subgroup, size, rows int }{
		{128, 32, 128, 4}, {128, 64, 128, 2}, {128, 128, 128, 1}, {192, 32, 128, 4}, {255, 64, 128, 3}, {256, 64, 256, 4},
		{1024, 32, 256, 4}, {1792, 16, 256, 4},
	} {
		info := engine.Info{Type: "discrete", SubgroupSize: c.subgroup, MaxInvocations: c.most}
		if size, rows := kernels.WorkgroupSize(info), kernels.RowsPerWorkgroup(info); size != c.size || rows != c.rows {
			t.Errorf("%d invocations, subgroups of %d: workgroups of %d and %d rows, want %d and %d", c.most, c.subgroup, size, rows,
				c.size, c.rows)
		}
	}
}
