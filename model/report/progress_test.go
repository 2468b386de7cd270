// SPDX-License-Identifier: MIT

package report

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clock is time that passes only when told to.
type clock struct{ t time.Time }

func (c *clock) now() time.Time       { return c.t }
func (c *clock) pass(d time.Duration) { c.t = c.t.Add(d) }

func newClock() *clock { return &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func expect(t *testing.T, got string, want ...string) {
	t.Helper()
	if text := strings.Join(want, "\n") + "\n"; got != text {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
}

// A run of 2000 steps at 0.1 s each after a first one of 3 s. Lines come after the first step and then with gaps of
// 5, 7.5, 11.25, 16.875, 25.3125 and from there on 30 s.
func TestPlainLines(t *testing.T) {
	c, b := newClock(), &strings.Builder{}
	p := newProgress(b, c.now, 0, 2000, 41)
	for i := 1; i <= 2000; i++ {
		if i == 1 {
			c.pass(3 * time.Second)
		} else {
			c.pass(100 * time.Millisecond)
		}
		p.Step(i, 0.25)
	}
	if err := p.Finish(); err != nil {
		t.Error(err)
	}
	expect(t, b.String(),
		"step     1/2000  loss 0.2500",
		"step    51/2000  loss 0.2500  410 images/s  3m15s left",
		"step   126/2000  loss 0.2500  410 images/s  3m07s left",
		"step   239/2000  loss 0.2500  410 images/s  2m56s left",
		"step   408/2000  loss 0.2500  410 images/s  2m39s left",
		"step   662/2000  loss 0.2500  410 images/s  2m14s left",
		"step   962/2000  loss 0.2500  410 images/s  1m44s left",
		"step  1262/2000  loss 0.2500  410 images/s  1m14s left",
		"step  1562/2000  loss 0.2500  410 images/s  44s left",
		"step  1862/2000  loss 0.2500  410 images/s  14s left",
		"step  2000/2000  loss 0.2500  410 images/s  in 3m23s")
}

// A run that goes on after step 100 counts its own steps only, and a pause counts in the time left but not in the speed.
func TestResumedWithPause(t *testing.T) {
	c, b := newClock(), &strings.Builder{}
	p := newProgress(b, c.now, 100, 160, 8)
	if p.Rate() != 0 {
		t.Errorf("speed before the first step: %g", p.Rate())
	}
	for i := 101; i <= 110; i++ {
		c.pass(4 * time.Second)
		p.Step(i, 1)
		if i == 105 {
			c.pass(36 * time.Second)
			p.Resume()
		}
	}
	if r := p.Rate(); math.Abs(r-2) > 1e-9 {
		t.Errorf("%g images/s, want 2", r)
	}
	if p.Elapsed() != 76*time.Second {
		t.Errorf("elapsed %v", p.Elapsed())
	}
	if err := p.Finish(); err != nil { // stopped early
		t.Error(err)
	}
	expect(t, b.String(),
		"step   101/160  loss 1.0000",
		"step   103/160  loss 1.0000  2.0 images/s  3m48s left", // 57 steps of 4 s
		"step   105/160  loss 1.0000  2.0 images/s  3m40s left",
		"step   106/160  loss 1.0000  2.0 images/s  10m05s left", // 54 steps of (5*4 s + 36 s)/5
		"step   110/160  loss 1.0000  2.0 images/s  in 1m16s")
}

// The speed follows a change within a few tens of steps, and Step may skip numbers.
func TestRateFollows(t *testing.T) {
	c := newClock()
	p := newProgress(&strings.Builder{}, c.now, 0, 1000, 10)
	p.Step(1, 1)
	for i := 11; i <= 501; i += 10 {
		c.pass(10 * time.Second)
		p.Step(i, 1)
	}
	if r := p.Rate(); math.Abs(r-10) > 1e-9 {
		t.Errorf("%g images/s, want 10", r)
	}
	for i := 502; i <= 600; i++ {
		c.pass(500 * time.Millisecond)
		p.Step(i, 1)
	}
	if r := p.Rate(); math.Abs(r-20) > 0.2 {
		t.Errorf("%g images/s, want 20", r)
	}
}

// Sampling: no loss, speeds in steps.
func TestAdvance(t *testing.T) {
	c, b := newClock(), &strings.Builder{}
	p := newProgress(b, c.now, 0, 50, 0)
	for i := 1; i <= 50; i++ {
		c.pass(250 * time.Millisecond)
		p.Advance(i)
	}
	if err := p.Finish(); err != nil {
		t.Error(err)
	}
	expect(t, b.String(), "step     1/50", "step    21/50  4.0 steps/s  7s left", "step    50/50  4.0 steps/s  in 13s")
}

func TestLossThatIsNoNumberShows(t *testing.T) {
	c, b := newClock(), &strings.Builder{}
	p := newProgress(b, c.now, 0, 5, 1)
	p.Step(1, float32(math.NaN()))
	if !strings.Contains(b.String(), "loss NaN") {
		t.Errorf("got %q", b.String())
	}
}

// The bar ends in the same last line.
func TestBar(t *testing.T) {
	c, b := newClock(), &strings.Builder{}
	p := newProgress(b, c.now, 50, 100, 4)
	p.startBar()
	for i := 51; i <= 100; i++ {
		c.pass(time.Second)
		p.Step(i, 0.5)
	}
	if err := p.Finish(); err != nil {
		t.Error(err)
	}
	out := b.String()
	for _, want := range []string{
		"  51% █", "step    75/100  loss 0.5000  4.0 images/s  25s left",
		"  99% █", "\033[2K\rstep   100/100  loss 0.5000  4.0 images/s  in 50s\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in %q", want, out)
		}
	}
	if n := strings.Count(out, "\n"); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
}

// A file is no terminal.
func TestFileGetsPlainLines(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if p := NewProgress(f, 0, 10, 1); p.bar != nil {
		t.Error("a bar in a file")
	}
}

type brokenPipe struct{}

var errPipe = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errPipe }

func TestBrokenScreenDoesNotStopTheRun(t *testing.T) {
	p := newProgress(brokenPipe{}, newClock().now, 0, 10, 1)
	p.Step(1, 1)
	if err := p.Finish(); !errors.Is(err, errPipe) {
		t.Errorf("Finish: %v", err)
	}
}

func TestProgressMisuse(t *testing.T) {
	b := &strings.Builder{}
	for name, f := range map[string]func(){
		"backwards": func() { p := newProgress(b, time.Now, 5, 10, 1); p.Step(5, 1) },
		"beyond":    func() { p := newProgress(b, time.Now, 5, 10, 1); p.Step(11, 1) },
		"from":      func() { newProgress(b, time.Now, 11, 10, 1) },
		"batch":     func() { newProgress(b, time.Now, 0, 10, -1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
