// SPDX-License-Identifier: MIT

package kerneltest

import (
	"fmt"
	"math"
	"testing"
)

// Bound says how far an element may lie from its reference: |got-want| <= Abs + Rel (|want| + Terms). Nothing within it
// is NaN or infinite.
type Bound struct {
	Abs, Rel float64
	// Terms is, for each element that is a sum, the sum of the magnitudes of what was added: where terms of both signs
	// cancel, rounding is as large as they are and not as their sum is. nil: no element is such a sum.
	Terms []float64
}

// at returns the bound of element i.
func (b Bound) at(i int, want float64) float64 {
	scale := math.Abs(want)
	if b.Terms != nil {
		scale += b.Terms[i]
	}
	return b.Abs + b.Rel*scale
}

// Worst is the element that comes closest to its bound, or lies furthest beyond it.
type Worst struct {
	Ratio float64 // its error in units of its bound: at most 1 passes, NaN does not
	At    int     // -1: there is no element
	Bad   int     // how many elements lie beyond their bounds
}

// Compare holds got against want, element by element. NaN and infinities fail on either side, equal ones too: a reference
// that overflows tests nothing.
func Compare(got []float32, want []float64, b Bound) (Worst, error) {
	w := Worst{At: -1}
	if len(got) != len(want) || len(want) == 0 {
		return w, fmt.Errorf("%d elements, want %d, and at least one", len(got), len(want))
	}
	if b.Terms != nil && len(b.Terms) != len(want) {
		return w, fmt.Errorf("%d terms for %d elements", len(b.Terms), len(want))
	}
	for i, v := range want {
		off, bound := math.Abs(float64(got[i])-v), b.at(i, v)
		ratio := off / bound
		switch {
		case math.IsNaN(off) || !(bound >= 0) || math.IsInf(bound, 1): // Inf - Inf is NaN; such bounds would let all pass
			ratio = math.NaN()
		case off == 0:
			ratio = 0 // where the bound is 0, too
		}
		if !(ratio <= 1) {
			w.Bad++
		}
		if w.At < 0 || !math.IsNaN(w.Ratio) && !(ratio <= w.Ratio) { // the first NaN is worse than anything
			w.Ratio, w.At = ratio, i
		}
	}
	if w.Bad > 0 {
		return w, fmt.Errorf("%d of %d elements beyond their bounds", w.Bad, len(want))
	}
	return w, nil
}

// A Case names a comparison: what the summary counts it under and what a failure says.
type Case struct {
	Op    string // "" takes the op that the test's name begins with
	Rung  string // the rung of a ladder; "" takes what the test's name says
	Name  string // of the output
	Shape []int  // nil: flat
}

// SelfTest is the op of comparisons that test the tests: the summary leaves them out.
const SelfTest = "self-test"

// Check fails the test, naming the worst element, unless all of got lies within its bounds.
func Check(t testing.TB, c Case, got []float32, want []float64, b Bound) {
	t.Helper()
	w, err := Compare(got, want, b)
	if c.Op != SelfTest {
		note(t.Name(), c, w, len(want))
	}
	if err == nil {
		return
	}
	if w.At < 0 {
		t.Errorf("%s: %v", c.Name, err)
		return
	}
	v := want[w.At]
	t.Errorf("%s: %v; the worst is element %s: got %v, want %v, off by %.3g where %.3g is allowed", c.Name, err,
		index(w.At, c.Shape), got[w.At], v, math.Abs(float64(got[w.At])-v), b.at(w.At, v))
}

// Equal is Check with Rel = tol and Abs = tol rms(want), the root mean square standing for the scale of the sums that the
// elements came from.
func Equal(t testing.TB, name string, got []float32, want []float64, tol float64) {
	t.Helper()
	sum := 0.0
	for _, v := range want {
		sum += v * v
	}
	Check(t, Case{Name: name}, got, want, Bound{Abs: tol * math.Sqrt(sum/float64(max(len(want), 1))), Rel: tol})
}

// index is an element's number, and its place in a shape: 17 = (1,2,3).
func index(i int, shape []int) string {
	if len(shape) < 2 {
		return fmt.Sprint(i)
	}
	place, rest := "", i
	for d := len(shape) - 1; d >= 0; d-- {
		place = fmt.Sprintf(",%d", rest%shape[d]) + place
		rest /= shape[d]
	}
	return fmt.Sprintf("%d = (%s)", i, place[1:])
}
