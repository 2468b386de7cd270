// SPDX-License-Identifier: MIT

package tune

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"jitvk/engine"
	"jitvk/kernels"
)

// A Result is what came of measuring a class of work. Times are seconds, the shortest that were seen; 0 where nothing was timed.
type Result struct {
	Choice  string   `json:"choice"`
	Seconds float64  `json:"seconds,omitempty"`
	Guess   float64  `json:"guess,omitempty"`  // what the guess took
	Next    string   `json:"next,omitempty"`   // the fastest of the others
	NextS   float64  `json:"next_s,omitempty"` // what that took
	Of      int      `json:"of"`               // choices there are
	Untried []string `json:"untried,omitempty"`
	Wrong   []string `json:"wrong,omitempty"` // those that failed, or gave another result than the guess
}

const (
	share  = 200 * time.Millisecond // for the rounds of one class
	slow   = 500 * time.Millisecond // a class whose guess takes longer keeps it
	rounds = 5
	noise  = 0.97 // of the guess's time: what is slower than that is no better
)

// errUntried is for a choice that there is no time to build.
var errUntried = errors.New("no time to build it")

// A contender is one choice, built.
type contender struct {
	choice string
	run    func() (time.Duration, error) // does the work
	alike  func() (bool, error)          // whether what it left is what the guess left
	close  func()
	best   time.Duration
}

// take runs the contender and keeps its shortest time.
func (c *contender) take() error {
	took, err := c.run()
	if err == nil && (c.best == 0 || took < c.best) {
		c.best = took
	}
	return err
}

// race finds the choice that takes the device the least time: the first, the guess, unless another is faster by more than
// what measurements differ by, and where it takes too long to find out. Another choice that fails, or whose result is another than
// the guess's, is out: a kernel that a driver gets wrong may well be fast. enter builds a choice; late ends the trying of further ones.
func race(choices []string, enter func(choice string) (*contender, error), late func() bool) (Result, error) {
	out := Result{Choice: choices[0], Of: len(choices)}
	var running []*contender
	defer func() {
		for _, c := range running {
			c.close()
		}
	}()
	var tried []*contender // the hopeless, too
	for i, choice := range choices {
		if i > 0 && (late() || running[0].best > slow) {
			out.Untried = append(out.Untried, choices[i:]...)
			break
		}
		c, err := enter(choice)
		if i > 0 && errors.Is(err, errUntried) {
			out.Untried = append(out.Untried, choice)
			continue
		}
		for range 2 { // the first does not count: CPU drivers compile in it
			if err == nil {
				c.best = 0
				err = c.take()
			}
		}
		right := false
		if err == nil {
			right, err = c.alike()
		}
		switch {
		case err != nil && (i == 0 || errors.Is(err, engine.ErrDeviceLost)):
			if c != nil {
				c.close()
			}
			return out, err
		case i == 0 && !right: // a result that is not even like itself: nothing can be held against it
			out.Untried = choices[1:]
			c.close()
			return out, nil
		case err != nil || !right:
			out.Wrong = append(out.Wrong, choice)
			if c != nil {
				c.close()
			}
			continue
		}
		tried = append(tried, c)
		if i > 0 && c.best > 3*running[0].best { // hopeless
			c.close()
			continue
		}
		running = append(running, c)
	}
	start := time.Now()
	for range rounds {
		if running[0].best > slow {
			break
		}
		for _, c := range running {
			if err := c.take(); err != nil {
				return out, err
			}
		}
		if time.Since(start) > share {
			break
		}
	}
	out.decide(tried)
	return out, nil
}

// decide fills in what the times say: tried[0] is the guess.
func (r *Result) decide(tried []*contender) {
	guess := tried[0]
	order := slices.SortedStableFunc(slices.Values(tried), func(a, b *contender) int { return cmp.Compare(a.best, b.best) })
	best := order[0]
	if float64(best.best) > noise*float64(guess.best) {
		best = guess
	}
	r.Choice, r.Seconds, r.Guess = best.choice, best.best.Seconds(), guess.best.Seconds()
	for _, c := range order {
		if c != best {
			r.Next, r.NextS = c.choice, c.best.Seconds()
			break
		}
	}
}

// onDevice builds contenders on a device.
type onDevice struct {
	d      *engine.Device
	result kernels.Tensor
	record func(p *engine.Program, choice string)
	made   bool      // only choices whose pipelines have been made are tried, beside the first: there is no time for others
	want   []float32 // what the first leaves
}

// enter builds a choice.
func (o *onDevice) enter(choice string) (*contender, error) {
	p := engine.NewProgram(o.d, choice)
	p.Profile()
	o.record(p, choice)
	if o.made && o.want != nil && o.d.Missing(p) > 0 {
		p.Close()
		return nil, errUntried
	}
	c := &contender{choice: choice, close: p.Close, alike: o.alike, run: func() (time.Duration, error) { return timed(p) }}
	err := p.Build()
	if err == nil {
		err = spoil(o.d, o.result)
	}
	return c, err
}

// alike compares what the last contender has left with what the first had.
func (o *onDevice) alike() (bool, error) {
	got, err := parts(o.d, o.result)
	if err == nil && o.want == nil {
		o.want = got
	}
	return alike(got, o.want), err
}

// timed replays a program and returns the time of its commands.
func timed(p *engine.Program) (took time.Duration, err error) {
	if err := p.Run(); err != nil {
		return 0, err
	}
	timings, err := p.Timings()
	for _, t := range timings {
		took += t.Time
	}
	return took, err
}
