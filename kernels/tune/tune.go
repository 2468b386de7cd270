// SPDX-License-Identifier: MIT

// Package tune finds out by measuring which of several choices for some work is the fastest on a device, and remembers it
// for the runs to come. It imports engine, kernels and kernels/measure. Open (open.go) is how every program that computes opens
// its device; read it first.
//
// What a class of work is and which choices there are is the kernels' (kernels.Class, Program.Choose). The table of earlier runs
// lies in the user's cache folder (table.go). That there is no such folder, that it cannot be written or holds nonsense costs
// the time to measure again, and is no error.
package tune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/measure"
)

// Mode says what is measured.
type Mode string

const (
	Auto  Mode = "auto"  // what no earlier run has measured
	Off   Mode = "off"   // nothing, and earlier runs do not count either: every choice is the kernels' guess
	Again Mode = "again" // everything, as if for the first time
)

// Usage is what -help says of Mode.
const Usage = "`when` to measure which kernels are fastest here: auto (once for each device and driver; kept in the user's cache " +
	"folder), off (take guesses) or again (measure anew)"

// String and Set make Mode a flag.Value.
func (m *Mode) String() string { return string(*m) }

// Set takes "auto", "off" or "again".
func (m *Mode) Set(s string) error {
	if *m = Mode(s); !slices.Contains([]Mode{Auto, Off, Again}, *m) {
		return errors.New("it is auto, off or again")
	}
	return nil
}

// A Budget is how many seconds measuring may take; 0 is 20. What is left over is guessed, and measured in the next run.
type Budget float64

// String and Set make Budget a flag.Value.
func (b *Budget) String() string { return fmt.Sprint(b.of().Seconds()) }

// Set takes seconds, up to a day.
func (b *Budget) Set(s string) error {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || !(x > 0 && x <= 86400) {
		return errors.New("seconds are wanted, up to a day")
	}
	*b = Budget(x)
	return nil
}

func (b Budget) of() time.Duration {
	if b == 0 {
		return 20 * time.Second
	}
	return time.Duration(float64(b) * float64(time.Second))
}

// recall makes programs of a device choose as earlier runs have found, as far as they have.
func (m Mode) recall(d *engine.Device) {
	if m == Auto {
		d.Prefer(readTable(d.Info()))
	}
}

const gap = time.Second // between two lines for the user

// measure measures what programs of a dry run's device, plan, had to guess, on a device that o opens and that is closed again,
// so that nothing of its memory is held. It returns what all of plan's work is to be done by, for Device.Prefer. say is given
// a line for the user now and then, and in the end what came of it, if there is anything to measure. What cannot be measured keeps its
// guess; errors are those of opening the device, and ctx's.
func (m Mode) measure(ctx context.Context, o engine.Options, plan *engine.Device, budget Budget, say func(line string)) (
	engine.Choices, error) {
	choices, guesses := plan.Chosen(), plan.Guessed()
	if m != Auto && m != Again || len(guesses) == 0 {
		return choices, nil
	}
	d, err := engine.Open(o)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	t := &tuning{d: d, guesses: dearestFirst(guesses), say: say, began: time.Now(), budget: budget.of(), found: map[string]Result{}}
	if err := t.compile(o); err != nil {
		return nil, err
	}
	err = t.all(ctx)
	writeTable(d.Info(), t.found)
	for class, r := range t.found {
		choices[class] = r.Choice
	}
	for _, line := range t.summary() {
		say(line)
	}
	return choices, err
}

// A tuning is measuring under way.
type tuning struct {
	d       *engine.Device
	guesses []engine.Guess
	say     func(line string)
	began   time.Time
	budget  time.Duration
	made    bool              // there was no time to compile all choices
	found   map[string]Result // by class
}

// spent reports whether a share of the budget is.
func (t *tuning) spent(share float64) bool {
	return time.Since(t.began).Seconds() > share*t.budget.Seconds()
}

// dearestFirst puts those classes first that take the most operations, so that a budget that is too small is spent where it pays.
func dearestFirst(guesses []engine.Guess) []engine.Guess {
	cost := func(g engine.Guess) float64 {
		c, err := kernels.ParseClass(g.Class)
		if err != nil {
			panic(err)
		}
		flops := float64(max(g.Uses, 1))
		for _, n := range c.Size {
			flops *= float64(n)
		}
		if c.Op == "attention" {
			flops *= 2 * float64(c.Size[1])
		}
		return flops
	}
	return slices.SortedStableFunc(slices.Values(guesses), func(a, b engine.Guess) int { return cmp.Compare(cost(b), cost(a)) })
}

// compile makes the pipelines of all choices, on all cores, for half of the budget at most: made one at a time, when each is measured,
// they would take most of it. The programs are recorded on a device that only plans, as they need no memory yet.
func (t *tuning) compile(o engine.Options) error {
	o.DryRun = true
	plan, err := engine.Open(o)
	if err != nil {
		return err
	}
	defer plan.Close()
	var programs []*engine.Program
	for _, g := range t.guesses {
		m := measure.NewMemory(plan)
		if record, _ := work(m, plan.Info().MaxStorageBufferRange, g.Class); record != nil && m.Err() == nil {
			for _, choice := range g.Choices {
				p := engine.NewProgram(plan, choice)
				plan.Prefer(engine.Choices{g.Class: choice})
				record(p)
				programs = append(programs, p)
			}
		}
		m.Close()
	}
	const few = 8
	if n := t.d.Missing(programs...); n > few {
		t.say(fmt.Sprintf("measuring   first %d kernels are compiled for %s", n, t.d.Info().Name))
	}
	t.d.MakePipelines(func() bool { return t.spent(0.5) }, programs...)
	t.made = t.spent(0.5)
	return nil
}

// summary says what came of it: which guesses were beaten, by how much, what was wrong and what was not tried.
func (t *tuning) summary() (lines []string) {
	var guess, best float64 // seconds of all uses
	var beaten []string
	choices := 0
	wrong := map[string]int{}
	for _, g := range t.guesses {
		r, measured := t.found[g.Class]
		if !measured {
			choices += len(g.Choices)
			continue
		}
		guess, best = guess+float64(g.Uses)*r.Guess, best+float64(g.Uses)*r.Seconds
		choices += len(r.Untried)
		for _, w := range r.Wrong {
			wrong[w]++
		}
		if r.Choice != g.Choices[0] {
			beaten = append(beaten, fmt.Sprintf("            %s: %s %.3g ms, guess %s %.3g, next %s %.3g", g.Class, r.Choice, 1e3*r.Seconds,
				g.Choices[0], 1e3*r.Guess, r.Next, 1e3*r.NextS))
		}
	}
	gain := ""
	if guess > 0 {
		gain = fmt.Sprintf("; the work takes %.1f %% less than as guessed", 100*(1-best/guess))
	}
	lines = append(lines, fmt.Sprintf("measured    %d of %d classes of work in %.1f s: %d guesses are beaten%s", len(t.found),
		len(t.guesses), time.Since(t.began).Seconds(), len(beaten), gain))
	lines = append(lines, beaten...)
	for _, choice := range slices.Sorted(maps.Keys(wrong)) {
		lines = append(lines, fmt.Sprintf("            %s is out in %d classes: it failed, or its result is not the guess's", choice,
			wrong[choice]))
	}
	if choices > 0 {
		lines = append(lines, fmt.Sprintf("            %d choices were not tried in %v: -tune again -tune-budget gives them more", choices,
			t.budget))
	}
	return lines
}

// all measures what it can within the budget.
func (t *tuning) all(ctx context.Context) error {
	said := t.began.Add(-gap)
	for i, g := range t.guesses {
		if err := ctx.Err(); err != nil {
			return err
		}
		if t.spent(1) {
			return nil
		}
		if time.Since(said) >= gap {
			said = time.Now()
			t.say(fmt.Sprintf("measuring   kernels on %s: %d/%d %s", t.d.Info().Name, i+1, len(t.guesses), g.Class))
		}
		r, err := measureOne(t, g)
		if errors.Is(err, engine.ErrOutOfMemory) {
			continue // which the next run may have
		}
		if err != nil { // no timestamps: there will be none in the next run
			r = Result{Choice: g.Choices[0], Of: len(g.Choices)}
		}
		t.found[g.Class] = r // of a lost device, too, or the next run would lose it again
		if errors.Is(err, engine.ErrDeviceLost) {
			t.say(fmt.Sprintf("measuring   ends here, the rest is guessed: %v", err))
			return nil
		}
	}
	return nil
}

// measureOne is class. A test has measurements of its own there, which no clock decides.
var measureOne = (*tuning).class

// class measures one class, on tensors of noise.
func (t *tuning) class(g engine.Guess) (Result, error) {
	m := measure.NewMemory(t.d)
	defer m.Close()
	record, result := work(m, t.d.Info().MaxStorageBufferRange, g.Class)
	if record == nil || m.Err() != nil {
		return Result{Choice: g.Choices[0], Of: len(g.Choices)}, m.Err()
	}
	device := &onDevice{d: t.d, result: result, made: t.made, record: func(p *engine.Program, choice string) {
		t.d.Prefer(engine.Choices{g.Class: choice})
		record(p)
	}}
	return race(g.Choices, device.enter, func() bool { return t.spent(1) })
}

// work takes tensors from m and returns what records work that is of a class, and where that puts its result; nil where a
// matrix, whose sizes are rounded up, does not fit into a binding of limit bytes.
func work(m *measure.Memory, limit int64, class string) (record func(p *engine.Program), result kernels.Tensor) {
	c, err := kernels.ParseClass(class)
	if err != nil {
		panic(err)
	}
	if c.Op == "attention" {
		pass, halves, _ := strings.Cut(c.Variant, ":")
		a := measure.NewAttention(m, c.Size[0], c.Size[1], c.Size[2], c.Size[3], func(name string) kernels.Precision {
			if slices.Contains(strings.Split(halves, ","), name) {
				return c.Precision
			}
			return kernels.FP32
		})
		if pass == "forward" {
			return func(p *engine.Program) { a.Forward(p, kernels.AttentionOptions{Precision: c.Precision}) }, a.O
		}
		return func(p *engine.Program) { a.Backward(p, kernels.AttentionOptions{Precision: c.Precision}) }, a.DQKV
	}
	B, M, N, K := c.Size[0], c.Size[1], c.Size[2], c.Size[3]
	variant := strings.ToLower(c.Variant)
	transA, transB := variant[0] == 't', variant[1] == 't'
	var in [2]kernels.Precision // memory
	for i := range in {
		if c.Variant[i] != variant[i] {
			in[i] = c.Precision
		}
	}
	out := kernels.FP32
	if strings.HasSuffix(c.Variant, "h") {
		out = c.Precision
	}
	if 4*int64(B)*int64(max(M*2*N, M*K, 2*N*K)) > limit {
		return nil, kernels.Tensor{}
	}
	matrix := func(in kernels.Precision, rows, cols int, transposed bool) kernels.Tensor {
		if transposed {
			rows, cols = cols, rows
		}
		if B > 1 {
			return m.TensorOfPrecision(in, B, rows, cols)
		}
		return m.TensorOfPrecision(in, rows, cols)
	}
	switch {
	case c.Op == "swiglu" && transB: // the gates' product, and before it one like it for the values
		h, x, w := matrix(out, M, N, false), matrix(in[0], M, K, false), matrix(in[1], 2*N, K, false)
		return func(p *engine.Program) {
			kernels.MatMulSwiGLU(p, h, nil, x, w, kernels.MatMulSwiGLUOptions{Precision: c.Precision})
		}, h
	case c.Op == "swiglu": // the product for dh
		dab, ab, dy, w := matrix(out, M, 2*N, false), matrix(out, M, 2*N, false), matrix(in[0], M, K, false),
			matrix(in[1], K, N, false)
		return func(p *engine.Program) {
			kernels.MatMulSwiGLUBackward(p, dab, dy, w, ab, kernels.MatMulSwiGLUOptions{Precision: c.Precision})
		}, dab
	}
	y, a, b := matrix(out, M, N, false), matrix(in[0], M, K, transA), matrix(in[1], K, N, transB)
	return func(p *engine.Program) {
		kernels.MatMul(p, y, a, b, kernels.MatMulOptions{TransA: transA, TransB: transB, Precision: c.Precision})
	}, y
}
