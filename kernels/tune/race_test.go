// SPDX-License-Identifier: MIT

package tune

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"jitvk/engine"
	"jitvk/kernels/measure"
)

// A fake is a choice whose times are known.
type fake struct {
	took    time.Duration
	wrong   bool
	enter   error
	run     error
	entered int
	runs    int
	closed  int
}

// raceOf lets fakes race by their names, in order.
func raceOf(fakes map[string]*fake, names []string, late func() bool) (Result, error) {
	return race(names, func(name string) (*contender, error) {
		f := fakes[name]
		f.entered++
		if errors.Is(f.enter, errUntried) {
			return nil, f.enter
		}
		return &contender{choice: name, close: func() { f.closed++ }, alike: func() (bool, error) { return !f.wrong, nil },
			run: func() (time.Duration, error) {
				if f.runs++; f.runs == 1 {
					return f.took / 2, f.run // which does not count
				}
				return f.took, f.run
			}}, f.enter
	}, late)
}

// TestRace: what wins, what is next, what is out and what was not tried.
func TestRace(t *testing.T) {
	const ms = time.Millisecond
	never := func() bool { return false }
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		fakes map[string]*fake
		order string
		late  func() bool
		want  Result
	}{
		"another wins": {map[string]*fake{"a": {took: 20 * ms}, "b": {took: 10 * ms}, "c": {took: 15 * ms}}, "a b c", never,
			Result{Choice: "b", Seconds: 0.010, Guess: 0.020, Next: "c", NextS: 0.015, Of: 3}},
		"as fast as the guess": {map[string]*fake{"a": {took: 100 * ms}, "b": {took: 98 * ms}}, "a b", never,
			Result{Choice: "a", Seconds: 0.1, Guess: 0.1, Next: "b", NextS: 0.098, Of: 2}},
		"hopeless": {map[string]*fake{"a": {took: 10 * ms}, "b": {took: 40 * ms}}, "a b", never,
			Result{Choice: "a", Seconds: 0.01, Guess: 0.01, Next: "b", NextS: 0.04, Of: 2}},
		"wrong and failing": {map[string]*fake{"a": {took: 10 * ms}, "b": {took: ms, wrong: true}, "c": {took: ms, run: broken},
			"d": {took: ms, enter: broken}}, "a b c d", never,
			Result{Choice: "a", Seconds: 0.01, Guess: 0.01, Of: 4, Wrong: []string{"b", "c", "d"}}},
		"not compiled": {map[string]*fake{"a": {took: 10 * ms}, "b": {took: ms, enter: errUntried}, "c": {took: 5 * ms}}, "a b c", never,
			Result{Choice: "c", Seconds: 0.005, Guess: 0.01, Next: "a", NextS: 0.01, Of: 3, Untried: []string{"b"}}},
		"late": {map[string]*fake{"a": {took: 10 * ms}, "b": {took: ms}, "c": {took: ms}}, "a b c", func() bool { return true },
			Result{Choice: "a", Seconds: 0.01, Guess: 0.01, Of: 3, Untried: []string{"b", "c"}}},
		"a guess that is not a number": {map[string]*fake{"a": {took: 10 * ms, wrong: true}, "b": {took: ms}}, "a b", never,
			Result{Choice: "a", Of: 2, Untried: []string{"b"}}},
		"slow": {map[string]*fake{"a": {took: 600 * ms}, "b": {took: ms}}, "a b", never,
			Result{Choice: "a", Seconds: 0.6, Guess: 0.6, Of: 2, Untried: []string{"b"}}},
	} {
		got, err := raceOf(c.fakes, strings.Fields(c.order), c.late)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n%+v, want\n%+v", name, got, c.want)
		}
		for choice, f := range c.fakes {
			if want := f.entered; errors.Is(f.enter, errUntried) {
				if f.closed != 0 {
					t.Errorf("%s: %s was never built, and is closed", name, choice)
				}
			} else if f.closed != want {
				t.Errorf("%s: %s is closed %d times, built %d", name, choice, f.closed, want)
			}
		}
	}
	for name, f := range map[string]*fake{"a guess that is not built": {enter: broken}, "a guess that fails": {run: broken},
		"a lost device": {run: engine.ErrDeviceLost}} {
		fakes := map[string]*fake{"a": f, "b": {took: ms}}
		order := []string{"a", "b"}
		if name == "a lost device" {
			slices.Reverse(order)
		}
		if got, err := raceOf(fakes, order, never); !errors.Is(err, f.enter) && !errors.Is(err, f.run) || got.Choice != order[0] {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if fakes["b"].closed != fakes["b"].entered || f.closed != 1 {
			t.Errorf("%s: something stays open", name)
		}
	}
}

// TestSummary: the user reads which guesses were beaten and by how much, what was wrong and what was not tried.
func TestSummary(t *testing.T) {
	beaten, kept := "matmul fp16 nt 1x64x64x64", "matmul fp16 nn 1x32x32x32"
	s := &tuning{began: time.Now(), budget: 20 * time.Second, guesses: []engine.Guess{{Class: beaten, Choices: []string{"a", "b"}, Uses: 3},
		{Class: kept, Choices: []string{"a", "b", "c"}, Uses: 4}, {Class: small, Choices: []string{"a", "b"}, Uses: 1}},
		found: map[string]Result{beaten: {Choice: "b", Seconds: 0.002, Guess: 0.004, Next: "a", NextS: 0.004, Of: 2},
			kept: {Choice: "a", Seconds: 0.001, Guess: 0.001, Of: 3, Wrong: []string{"b"}, Untried: []string{"c"}}}}
	got := strings.Join(s.summary(), "\n")
	for _, want := range []string{"2 of 3 classes of work in 0.0 s: 1 guesses are beaten; the work takes 37.5 % less",
		beaten + ": b 2 ms, guess a 4, next a 4", "b is out in 1 classes", "3 choices were not tried in 20s"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// TestDearestFirst: what takes the most operations is measured first, however often it is used.
func TestDearestFirst(t *testing.T) {
	var got []string
	for _, g := range dearestFirst([]engine.Guess{
		{Class: "matmul fp32 nt 1x32x32x32", Uses: 1}, {Class: "matmul fp32 nt 1x64x32x32", Uses: 1},
		{Class: "matmul fp32 nn 1x32x32x32", Uses: 3}, {Class: "attention fp32 forward 2x16x2x32", Uses: 2}}) {
		got = append(got, fmt.Sprint(g.Class, g.Uses))
	}
	if want := []string{"attention fp32 forward 2x16x2x322", "matmul fp32 nn 1x32x32x323", "matmul fp32 nt 1x64x32x321",
		"matmul fp32 nt 1x32x32x321"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestCompileAhead: what is measured has been compiled before; what there was no time to compile is not tried.
func TestCompileAhead(t *testing.T) {
	o := ours(t)
	d, err := engine.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	plan := plan(t, Off, o)
	class := "matmul fp32 tn 1x32x32x1024" // whole, or in slices
	record, _ := work(measure.NewMemory(plan), plan.Info().MaxStorageBufferRange, class)
	guess, other := engine.NewProgram(plan, "guess"), engine.NewProgram(plan, "other")
	record(guess)
	guesses := plan.Guessed()
	if len(guesses) != 1 || guesses[0].Uses != 1 || len(guesses[0].Choices) < 2 {
		t.Fatalf("%v", guesses)
	}
	plan.Prefer(engine.Choices{class: guesses[0].Choices[1]})
	record(other)
	for _, c := range []struct {
		budget        time.Duration
		missing, less bool
	}{{time.Nanosecond, true, true}, {time.Hour, false, false}} {
		s := &tuning{d: d, guesses: guesses, say: func(string) {}, began: time.Now(), budget: c.budget, found: map[string]Result{}}
		if err := s.compile(o); err != nil {
			t.Fatal(err)
		}
		if n := d.Missing(guess, other); n > 0 != c.missing || s.made != c.less {
			t.Errorf("within %v: %d pipelines are missing, only those that are made: %v", c.budget, n, s.made)
		}
		s.began, s.budget = time.Now(), time.Hour
		r, err := s.class(guesses[0])
		if err != nil || len(r.Untried) > 0 != c.less || len(r.Wrong) > 0 {
			t.Errorf("within %v: %+v, %v", c.budget, r, err)
		}
	}
}

func TestBudgetIsAFlag(t *testing.T) {
	var b Budget
	if b.String() != "20" || b.of() != 20*time.Second {
		t.Errorf("nothing said: %v, %v", b.String(), b.of())
	}
	if err := b.Set("1.5"); err != nil || b.of() != 1500*time.Millisecond || b.String() != "1.5" {
		t.Errorf("1.5: %v, %v", b, err)
	}
	for _, s := range []string{"", "-1", "0", "NaN", "1e9", "10s"} {
		if err := b.Set(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}
