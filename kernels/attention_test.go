// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

// attentionRungs are the rungs of shaders/attention. TestAttentionLadder holds the list to the folder.
var attentionRungs = []string{"attention/00_naive", "attention/01_narrow", "attention/02_shared"}

// onRung runs f with a rung forced, or skips where the device cannot run it.
func onRung(t *testing.T, rung string, f func(t *testing.T)) {
	t.Run(filepath.Base(rung), func(t *testing.T) {
		if n := kerneltest.Device(t).Info().SubgroupSize; rung == "attention/01_narrow" && n != 8 {
			t.Skipf("subgroups of %d; this rung is for 8", n)
		}
		kernels.WithAttention(rung, func() { f(t) })
	})
}

type attentionCase struct {
	b, t, h, d int
	size       float64 // standard deviation of q and k
	fused      bool    // q, k, v and their gradients are views of (B,T,3C) tensors
}

// test runs a rung forward and backward and compares with the reference. The naive rung, which sums a dot product one term
// after the other, is held to forward alone: it has no backward shaders, and its lse would be what those are measured by.
func (c attentionCase) test(t *testing.T, rung string) {
	h, rnd := kerneltest.New(t), kerneltest.NewRand(uint64(c.t))
	width := c.h * c.d
	n := c.b * c.t * width
	draw := func(size float64) []float32 {
		x := rnd.Normal(n)
		for i := range x {
			x[i] *= float32(size)
		}
		return x
	}
	q, k, v, do := draw(c.size), draw(c.size), draw(1), draw(1)
	shape := []int{c.b, c.t, c.h, c.d}

	// qkv and dqkv: three tensors, or three views of one whose tokens are (q | k | v).
	three := func(data ...[]float32) [3]rowTensor {
		if !c.fused {
			return [3]rowTensor{rows(h, data[0], packed, width, shape...), rows(h, data[1], strided, width, shape...), rows(h, data[2], strided.next(1), width, shape...)}
		}
		all := make([]float32, 0, 3*n)
		for at := 0; at < n; at += width {
			for _, d := range data {
				if d == nil {
					d = make([]float32, n)
				}
				all = append(all, d[at:][:width]...)
			}
		}
		out := [3]rowTensor{}
		fused := h.Input(all, c.b, c.t, 3*width)
		for i := range out {
			view := kernels.Tensor{Shape: shape, Range: fused.Range, Ld: 3 * width, Off: i * width}
			out[i] = rowTensor{Tensor: view, h: h, rows: c.b * c.t, width: width}
		}
		return out
	}
	qkv, dqkv := three(q, k, v), three(nil, nil, nil)
	dot, ot, lset := rows(h, do, strided.next(2), width, shape...), rows(h, nil, strided.next(3), width, shape...), h.Output(c.b, c.h, c.t)
	h.Run(func(p *engine.Program) {
		kernels.Attention(p, ot.Tensor, lset, qkv[0].Tensor, qkv[1].Tensor, qkv[2].Tensor, kernels.AttentionOptions{})
		kernels.AttentionBackward(p, dqkv[0].Tensor, dqkv[1].Tensor, dqkv[2].Tensor, dot.Tensor, ot.Tensor, lset, qkv[0].Tensor, qkv[1].Tensor, qkv[2].Tensor, kernels.AttentionOptions{})
	})

	wide := kerneltest.Widen
	o, lse := make([]float64, n), make([]float64, c.b*c.h*c.t)
	dq, dk, dv := make([]float64, n), make([]float64, n), make([]float64, n)
	ref.Attention(o, lse, wide(q), wide(k), wide(v), c.b, c.t, c.h, c.d, nil)
	ref.AttentionBackward(dq, dk, dv, wide(do), o, lse, wide(q), wide(k), wide(v), c.b, c.t, c.h, c.d, nil)
	values := func(x rowTensor) []float32 {
		if x.gap != nil {
			return x.values(t)
		}
		all, out := h.Floats(x.Tensor), []float32(nil)
		for at := x.Off; at < len(all); at += x.Ld {
			out = append(out, all[at:][:width]...)
		}
		return out
	}
	kerneltest.Equal(t, "o", values(ot), o, 1e-5)
	kerneltest.Equal(t, "lse", h.Floats(lset), lse, 1e-5)
	if rung == "attention/00_naive" {
		return
	}
	// Half an ulp of a score of 60 is 2e-6 by itself. The gradients of a softmax that is nearly one-hot are small differences
	// times that, so where q and k are large the bound for them is wider.
	tol := 1e-5
	if c.size > 1 {
		tol = 2e-5
	}
	kerneltest.Equal(t, "dv", values(dqkv[2]), dv, tol)
	if c.t == 1 { // the softmax of one score is 1 whatever q and k are: dq and dk are 0, and rounding is all there is
		for i, g := range append(values(dqkv[0]), values(dqkv[1])...) {
			if !(g > -1e-6 && g < 1e-6) {
				t.Errorf("dq and dk, element %d: got %g, want 0", i, g)
			}
		}
		return
	}
	kerneltest.Equal(t, "dq", values(dqkv[0]), dq, tol)
	kerneltest.Equal(t, "dk", values(dqkv[1]), dk, tol)
}

func TestAttention(t *testing.T) {
	for _, rung := range attentionRungs {
		onRung(t, rung, func(t *testing.T) {
			for _, c := range []attentionCase{
				{1, 1, 1, 8, 1, false},
				{2, 2, 2, 8, 1, true},
				{1, 7, 1, 32, 1, false},
				{1, 9, 3, 32, 1, true},
				{2, 16, 3, 64, 1, true},
				{1, 31, 1, 32, 1, false},
				{1, 33, 2, 80, 1, true},
				{2, 64, 4, 32, 1, true},
				{1, 65, 1, 104, 1, false},
				{1, 67, 1, 128, 1, true},
				{1, 129, 1, 8, 1, false},
				{1, 288, 1, 64, 1, true},
				{1, 441, 1, 64, 1, true},
				{1, 48, 2, 32, 4, true}, // scores of 16 standard deviation, to ±60
			} {
				t.Run(fmt.Sprintf("B%d T%d H%d D%d size%g", c.b, c.t, c.h, c.d, c.size), func(t *testing.T) { c.test(t, rung) })
			}
		})
	}
}

// TestAttentionExtremes: inputs that make a careless softmax overflow, divide by zero or lose its sum.
func TestAttentionExtremes(t *testing.T) {
	const T, d = 19, 32
	rnd := kerneltest.NewRand(5)
	normal, zero := rnd.Normal(T*d), make([]float32, T*d)
	big, equal, minus, lone := slices.Clone(normal), make([]float32, T*d), make([]float32, T*d), slices.Clone(zero)
	for i := range big {
		big[i] *= 100 // scores of ±50000: one key takes all
		equal[i] = 30 // all scores 900*sqrt(32)
		minus[i] = -30
	}
	for i := range d {
		lone[3*d+i] = 20 // one token whose score with itself is 2263, others 0
	}
	for _, rung := range attentionRungs {
		onRung(t, rung, func(t *testing.T) {
			for name, qk := range map[string][2][]float32{"zeros": {zero, zero}, "big": {big, big}, "equal": {equal, equal}, "lone": {lone, lone},
				"far below zero": {equal, minus}} { // where a score of a key past the end, 0, would be the largest
				t.Run(name, func(t *testing.T) {
					h := kerneltest.New(t)
					qt, kt, vt, ot, lset := h.Input(qk[0], 1, T, 1, d), h.Input(qk[1], 1, T, 1, d), h.Input(normal, 1, T, 1, d), h.Output(1, T, 1, d), h.Output(1, 1, T)
					dq, dk, dv := h.Output(1, T, 1, d), h.Output(1, T, 1, d), h.Output(1, T, 1, d)
					h.Run(func(p *engine.Program) {
						kernels.Attention(p, ot, lset, qt, kt, vt, kernels.AttentionOptions{})
						kernels.AttentionBackward(p, dq, dk, dv, vt, ot, lset, qt, kt, vt, kernels.AttentionOptions{})
					})
					o, lse := make([]float64, T*d), make([]float64, T)
					ref.Attention(o, lse, kerneltest.Widen(qk[0]), kerneltest.Widen(qk[1]), kerneltest.Widen(normal), 1, T, 1, d, nil)
					kerneltest.Equal(t, "o", h.Floats(ot), o, 1e-5)
					kerneltest.Equal(t, "lse", h.Floats(lset), lse, 1e-5)
					for i, g := range slices.Concat(h.Floats(dq), h.Floats(dk), h.Floats(dv)) {
						if !(g > -1e6 && g < 1e6) {
							t.Fatalf("gradient %d is %g", i, g)
						}
					}
				})
			}
		})
	}
}

// TestAttentionTwice: same bits every run, and a batch's image does not depend on the others.
func TestAttentionTwice(t *testing.T) {
	const b, T, heads, d = 3, 37, 2, 32
	rnd := kerneltest.NewRand(3)
	x, y := rnd.Normal(b*T*heads*d), rnd.Normal(b*T*heads*d)
	for _, rung := range attentionRungs {
		onRung(t, rung, func(t *testing.T) {
			run := func(h *kerneltest.Run, b int) (func(p *engine.Program), []kernels.Tensor) {
				n, shape := b*T*heads*d, []int{b, T, heads, d}
				q, k := h.Input(x[len(x)-n:], shape...), h.Input(y[len(y)-n:], shape...)
				o, lse, dq, dk, dv := h.Output(shape...), h.Output(b, heads, T), h.Output(shape...), h.Output(shape...), h.Output(shape...)
				return func(p *engine.Program) {
					kernels.Attention(p, o, lse, q, k, q, kernels.AttentionOptions{})
					kernels.AttentionBackward(p, dq, dk, dv, k, o, lse, q, k, q, kernels.AttentionOptions{})
				}, []kernels.Tensor{o, lse, dq, dk, dv}
			}
			twice(t, func(h *kerneltest.Run) (func(p *engine.Program), []kernels.Tensor) { return run(h, b) })
			h := kerneltest.New(t)
			all, outs := run(h, b)
			one, last := run(h, 1)
			h.Run(func(p *engine.Program) { all(p); one(p) })
			for i := range outs {
				got, want := h.Bits(outs[i]), h.Bits(last[i])
				if !slices.Equal(got[len(got)-len(want):], want) {
					t.Errorf("output %d of the last image depends on the images before it", i)
				}
			}
		})
	}
}

// TestAttentionLadder: each rung in the folder is in the list that the tests walk, and says how it differs.
func TestAttentionLadder(t *testing.T) {
	files, err := fs.Glob(os.DirFS("../shaders/attention"), "[0-9]*_fwd.comp")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range files {
		found = append(found, "attention/"+strings.TrimSuffix(f, "_fwd.comp"))
		text, err := os.ReadFile("../shaders/attention/" + f)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "\n// Differs from the rung below by ") {
			t.Errorf("%s does not say how it differs from the rung below", f)
		}
	}
	if !slices.Equal(found, attentionRungs) {
		t.Errorf("rungs in the folder %q, rungs tested %q", found, attentionRungs)
	}
}

func TestAttentionMisuse(t *testing.T) {
	h := kerneltest.New(t)
	x, lse := h.Output(1, 4, 2, 8), h.Output(1, 2, 4)
	for name, f := range map[string]func(p *engine.Program){
		"head size": func(p *engine.Program) {
			y := h.Output(1, 4, 2, 12)
			kernels.Attention(p, y, lse, y, y, y, kernels.AttentionOptions{})
		},
		"shape": func(p *engine.Program) {
			kernels.Attention(p, x, lse, x, h.Output(1, 8, 1, 8), x, kernels.AttentionOptions{})
		},
		"lse": func(p *engine.Program) { kernels.Attention(p, x, h.Output(4), x, x, x, kernels.AttentionOptions{}) },
		"stride": func(p *engine.Program) {
			kernels.Attention(p, x, lse, kernels.Tensor{Shape: x.Shape, Range: x.Range, Off: 2}, x, x, kernels.AttentionOptions{})
		},
	} {
		t.Run(name, func(t *testing.T) { mustPanic(t, "kernels: Attention: ", f) })
	}
}
