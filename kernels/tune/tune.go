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

// recall makes programs of a device choose as earlier runs have found, as far as they have.
func (m Mode) recall(d *engine.Device) {
	if m == Auto {
		d.Prefer(readTable(d.Info()))
	}
}

const (
	budget = 8 * time.Second        // for everything; what is left over is guessed, and measured in the next run
	share  = 200 * time.Millisecond // for the rounds of one class
	slow   = 500 * time.Millisecond // a class whose guess takes longer keeps it
	rounds = 5
	gap    = time.Second // between two lines for the user
)

// measure measures what programs of a dry run's device, plan, had to guess, on a device that o opens and that is closed again,
// so that nothing of its memory is held. It returns what all of plan's work is to be done by, for Device.Prefer. say is given
// a line for the user now and then, if there is anything to measure. What cannot be measured keeps its guess; errors are those
// of opening the device, and ctx's.
func (m Mode) measure(ctx context.Context, o engine.Options, plan *engine.Device, say func(line string)) (engine.Choices, error) {
	choices, guesses := plan.Chosen(), plan.Guessed()
	if m != Auto && m != Again || len(guesses) == 0 {
		return choices, nil
	}
	d, err := engine.Open(o)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	found, err := measureAll(ctx, d, guesses, say)
	writeTable(d.Info(), found)
	maps.Copy(choices, found)
	return choices, err
}

// measureAll measures what it can within the budget.
func measureAll(ctx context.Context, d *engine.Device, guesses []engine.Guess, say func(line string)) (engine.Choices, error) {
	found := engine.Choices{}
	start := time.Now()
	said := start.Add(-gap)
	for i, g := range guesses {
		if err := ctx.Err(); err != nil {
			return found, err
		}
		if time.Since(start) > budget {
			break
		}
		if time.Since(said) >= gap {
			said = time.Now()
			say(fmt.Sprintf("measuring   kernels on %s: %d/%d %s", d.Info().Name, i+1, len(guesses), g.Class))
		}
		choice, err := measureClass(d, g)
		if errors.Is(err, engine.ErrDeviceLost) {
			found[g.Class] = g.Choices[0] // or the next run would lose it again
			say(fmt.Sprintf("measuring   ends here, the rest is guessed: %v", err))
			return found, nil
		}
		if errors.Is(err, engine.ErrOutOfMemory) {
			continue // which the next run may have
		}
		if err != nil { // no timestamps: there will be none in the next run
			choice = g.Choices[0]
		}
		found[g.Class] = choice
	}
	return found, nil
}

// measureClass measures one class, on tensors of noise.
func measureClass(d *engine.Device, g engine.Guess) (choice string, err error) {
	m := measure.NewMemory(d)
	defer m.Close()
	record, result := work(m, d.Info().MaxStorageBufferRange, g.Class)
	if record == nil || m.Err() != nil {
		return g.Choices[0], m.Err()
	}
	return fastest(d, g.Choices, result, func(p *engine.Program, choice string) {
		d.Prefer(engine.Choices{g.Class: choice})
		record(p)
	})
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

// A contender is one choice, recorded.
type contender struct {
	choice  string
	program *engine.Program
	best    time.Duration
}

// fastest returns the choice that takes the device the least time: the first, the guess, unless another is faster by more than
// what measurements differ by, and where it takes too long to find out. Another choice that fails, or whose result is another than
// the guess's, is out: a kernel that a driver gets wrong may well be fast.
func fastest(d *engine.Device, choices []string, result kernels.Tensor, record func(p *engine.Program, choice string)) (string, error) {
	var running []*contender
	var want []float32
	defer func() {
		for _, c := range running {
			c.program.Close()
		}
	}()
	for i, choice := range choices {
		c := &contender{choice: choice, program: engine.NewProgram(d, choice)}
		running = append(running, c)
		c.program.Profile()
		record(c.program, choice)
		err := c.program.Build()
		if err == nil {
			err = spoil(d, result)
		}
		for range 2 { // the first does not count: CPU drivers compile in it
			if c.best = 0; err == nil {
				err = c.run()
			}
		}
		guess := running[0]
		var got []float32
		if err == nil {
			got, err = parts(d, result)
		}
		if want == nil {
			want = got
		}
		switch {
		case err != nil && (i == 0 || errors.Is(err, engine.ErrDeviceLost)):
			return "", err
		case guess.best > slow:
			return guess.choice, nil
		case err != nil, !alike(got, want), c.best > 3*guess.best: // hopeless
			c.program.Close()
			running = running[:len(running)-1]
		}
	}
	start := time.Now()
	for range rounds {
		for _, c := range running {
			if err := c.run(); err != nil {
				return "", err
			}
		}
		if time.Since(start) > share {
			break
		}
	}
	const noise = 0.97
	best := slices.MinFunc(running, func(a, b *contender) int { return cmp.Compare(a.best, b.best) })
	if float64(best.best) > noise*float64(running[0].best) {
		best = running[0]
	}
	return best.choice, nil
}

// run replays the program and keeps its shortest time.
func (c *contender) run() error {
	if err := c.program.Run(); err != nil {
		return err
	}
	timings, err := c.program.Timings()
	if err != nil {
		return err
	}
	took := time.Duration(0)
	for _, t := range timings {
		took += t.Time
	}
	if c.best == 0 || took < c.best {
		c.best = took
	}
	return nil
}
