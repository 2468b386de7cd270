// SPDX-License-Identifier: MIT

package kerneltest

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
)

func TestMain(m *testing.M) { Main(m) }

// recorder stands in for a test that is expected to fail.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Helper()                   {}
func (r *recorder) Name() string              { return "TestRecorder/expected to fail" }
func (r *recorder) Errorf(f string, a ...any) { r.said = append(r.said, fmt.Sprintf(f, a...)) }

// TestCompare: what the comparator must catch, and what it must let pass.
func TestCompare(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	wide := func(v float32) float64 { return float64(v) }
	tight := Bound{Rel: 1e-5}
	for name, c := range map[string]struct {
		got  []float32
		want []float64
		b    Bound
		at   int // the worst element; -1: fails as a whole, -2: passes
	}{
		"equal":                          {[]float32{1, 2, 3}, []float64{1, 2, 3}, tight, -2},
		"just within":                    {[]float32{1.000009}, []float64{1}, tight, -2},
		"just beyond":                    {[]float32{1.000011}, []float64{1}, tight, 0},
		"zero where zero is wanted":      {[]float32{0, 0}, []float64{0, 0}, Bound{}, -2},
		"negative zero":                  {[]float32{float32(math.Copysign(0, -1))}, []float64{0}, Bound{}, -2},
		"NaN in got":                     {[]float32{1, nan, 3}, []float64{1, 2, 3}, tight, 1},
		"NaN in got, any bound":          {[]float32{1, nan, 3}, []float64{1, 2, 3}, Bound{Abs: 1e300}, 1},
		"NaN in want":                    {[]float32{1, 2}, []float64{1, math.NaN()}, tight, 1},
		"NaN in both":                    {[]float32{nan}, []float64{math.NaN()}, tight, 0},
		"NaN before a larger error":      {[]float32{nan, 1e30}, []float64{1, 2}, tight, 0},
		"NaN after a larger error":       {[]float32{1e30, nan}, []float64{1, 2}, tight, 1},
		"Inf in got":                     {[]float32{inf}, []float64{1}, tight, 0},
		"Inf in got, beyond any float64": {[]float32{inf}, []float64{1}, Bound{Abs: math.MaxFloat64}, 0},
		"Inf in want":                    {[]float32{1}, []float64{math.Inf(1)}, tight, 0},
		"the same Inf in both":           {[]float32{inf}, []float64{math.Inf(1)}, tight, 0},
		"NaN as a bound":                 {[]float32{2}, []float64{1}, Bound{Rel: math.NaN()}, 0},
		"Inf as a bound":                 {[]float32{2}, []float64{1}, Bound{Rel: 1e-5, Terms: []float64{math.Inf(1)}}, 0},
		"a negative bound":               {[]float32{2}, []float64{1}, Bound{Rel: 1e-5, Terms: []float64{-5}}, 0},
		"too short":                      {[]float32{1}, []float64{1, 2}, tight, -1},
		"too long":                       {[]float32{1, 2}, []float64{1}, tight, -1},
		"empty":                          {nil, nil, tight, -1},
		"one element off":                {[]float32{1, 2, 3.1, 4}, []float64{1, 2, 3, 4}, tight, 2},
		"a small element off":            {[]float32{1e6, 1e-6}, []float64{1e6, 2e-6}, tight, 1},
		"two neighbours exchanged":       {[]float32{1, 3, 2}, []float64{1, 2, 3}, tight, 1},
		"the worst of three":             {[]float32{1.1, 3, 3.1}, []float64{1, 2, 3}, tight, 1},
		"rounding of cancelled terms":    {[]float32{1e-6}, []float64{0}, Bound{Rel: 1e-5, Terms: []float64{1}}, -2},
		"more than their rounding":       {[]float32{1e-4}, []float64{0}, Bound{Rel: 1e-5, Terms: []float64{1}}, 0},
		"terms of another length":        {[]float32{1, 2}, []float64{1, 2}, Bound{Rel: 1e-5, Terms: []float64{1}}, -1},
		"float32 of a float64":           {[]float32{0.1}, []float64{0.1}, tight, -2},
		"exactly, which it is not":       {[]float32{0.1}, []float64{0.1}, Bound{}, 0},
		"exactly, which it is":           {[]float32{0.1}, []float64{wide(0.1)}, Bound{}, -2},
	} {
		w, err := Compare(c.got, c.want, c.b)
		if (err == nil) != (c.at == -2) || c.at >= -1 && w.At != c.at {
			t.Errorf("%s: %v, the worst being %d; wanted %d", name, err, w.At, c.at)
		}
		r := &recorder{TB: t}
		Check(r, Case{Op: SelfTest, Name: "x"}, c.got, c.want, c.b)
		if (len(r.said) == 0) != (c.at == -2) {
			t.Errorf("%s: Check said %q", name, r.said)
		}
	}
	r := &recorder{TB: t}
	Check(r, Case{Op: SelfTest, Name: "y", Shape: []int{2, 3, 4}}, append(make([]float32, 23), 7), make([]float64, 24), Bound{Abs: 0.5})
	if len(r.said) != 1 || !strings.Contains(r.said[0], "y: 1 of 24 elements") ||
		!strings.Contains(r.said[0], "element 23 = (1,2,3): got 7, want 0, off by 7 where 0.5 is allowed") {
		t.Errorf("Check said %q", r.said)
	}
	for i, fails := range []bool{false, true} { // Equal: the bound of an element grows with the others
		r := &recorder{TB: t}
		saved := summary.lines
		Equal(r, "z", []float32{1, float32(i+1) * 5e-6}, []float64{1, 0}, 1e-5)
		summary.lines = saved
		if (len(r.said) > 0) != fails {
			t.Errorf("Equal said %q", r.said)
		}
	}
}

// TestRunCatches: writes beside a tensor, elements that are left alone, elements that are written twice over.
func TestRunCatches(t *testing.T) {
	const n = 64
	for name, c := range map[string]struct {
		record func(p *engine.Program, y kernels.Tensor)
		guard  string // what is said of the guards
		fails  bool   // the comparison with ones
	}{
		"right": {func(p *engine.Program, y kernels.Tensor) { p.Fill(y.Range, one) }, "", false},
		"one word before": {func(p *engine.Program, y kernels.Tensor) {
			p.Fill(y.Range.Buffer().Range(guardBytes-4, 4), one)
			p.Fill(y.Range, one)
		}, "word 63 before", false},
		"one word after": {func(p *engine.Program, y kernels.Tensor) {
			p.Fill(y.Range.Buffer().Range(guardBytes, 4*n+4), one)
		}, "word 0 after", false},
		"nothing written":      {func(p *engine.Program, y kernels.Tensor) { p.Fill(y.Range.Buffer().Range(0, 4), guardWord) }, "", true},
		"the last not written": {func(p *engine.Program, y kernels.Tensor) { p.Fill(y.Range.Sub(0, 4*n-4), one) }, "", true},
		"the first not written": {func(p *engine.Program, y kernels.Tensor) {
			p.Fill(y.Range.Buffer().Range(guardBytes+4, 4*n-4), one)
		}, "", true},
		"zero instead": {func(p *engine.Program, y kernels.Tensor) { p.Fill(y.Range, 0) }, "", true},
	} {
		h := New(t)
		y := h.Output(n)
		err := h.Try(func(p *engine.Program) { c.record(p, y) })
		if (err == nil) != (c.guard == "") || err != nil && !strings.Contains(err.Error(), c.guard) {
			t.Errorf("%s: the guards say %v, want %q", name, err, c.guard)
		}
		want := make([]float64, n)
		for i := range want {
			want[i] = 1
		}
		if _, err := Compare(h.Floats(y), want, Bound{Rel: 1e-5}); (err != nil) != c.fails {
			t.Errorf("%s: the comparison says %v", name, err)
		}
	}
}

const one = 0x3f800000 // 1.0

// TestSummary: which op and rung a comparison is counted under, and that the worst is kept.
func TestSummary(t *testing.T) {
	saved, ops := summary.lines, summary.ops
	defer func() { summary.lines, summary.ops = saved, ops }()
	summary.lines = nil
	Ops("Fold", "Unfold", "RMSNorm", "RMSNormBackward", "MatMul", "Derf", "DerfBackward")
	for _, c := range []struct{ test, output, op string }{
		{"TestFold/x", "fold", "Fold"},
		{"TestFold/x", "unfold", "Unfold"},
		{"TestRMSNorm/packed", "y", "RMSNorm"},
		{"TestRMSNorm/packed", "dx", "RMSNormBackward"},
		{"TestRowwiseCut", "rmsnorm dx", "RMSNormBackward"},
		{"TestRowwiseCut", "derf", "Derf"},
		{"TestRowwiseCut", "else", "RowwiseCut"},
		{"TestMatMulSizes/01_tiled", "c", "MatMul"},
	} {
		if got := opOf(c.test, c.output); got != c.op {
			t.Errorf("%s of %s is counted under %q, want %q", c.output, c.test, got, c.op)
		}
	}
	for i, ratio := range []float64{0.25, 0.75, 0.5} {
		note(fmt.Sprintf("TestMatMulSizes/01_tiled/%d", i), Case{Name: "c", Shape: []int{2, 2}}, Worst{Ratio: ratio, At: i}, 4)
	}
	got := strings.Join(strings.Fields(Summary()), " ")
	if want := "MatMul 01_tiled 3 12 0.75 TestMatMulSizes/01_tiled/1: c[1 = (0,1)] 1 ops, 3 cases, 12 elements;"; !strings.Contains(got,
		want) {
		t.Errorf("summary %q, want %q in it", got, want)
	}
}
