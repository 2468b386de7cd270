// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Plain lines come after the first step, then at intervals that grow from firstGap to lastGap, and at the end.
const (
	firstGap = 5 * time.Second
	lastGap  = 30 * time.Second
	barGap   = 100 * time.Millisecond // between two drawings of the bar
	barWidth = 78                     // columns of text beside which the bar still has room; narrower terminals get plain lines
)

// Progress shows how far a run is: a bar on a terminal, plain lines elsewhere.
//
//	step   120/2000  loss 0.2134  412 images/s  1m52s left
//
// Errors of writing to the screen do not stop a run; Finish returns the first.
type Progress struct {
	w     io.Writer
	now   func() time.Time
	bar   *progressbar.ProgressBar // nil: plain lines
	total int
	batch int // images a step; 0: speeds are in steps

	step   int // the last one that is done
	smooth smoother
	loss   float32 // smoothed
	noLoss bool

	begin    time.Time // of the run, for the last line
	first    time.Time // end of the first step: it compiles and warms up, so speeds are measured from here
	last     time.Time // end of the last step, or of the pause after it
	fromStep int       // step that ended at first
	done     float64   // steps in the average of seconds a step
	perStep  float64   // seconds, without pauses

	shown time.Time // when something was shown last
	gap   time.Duration
	err   error
}

// NewProgress begins to show a run of total steps of batch images each, of which from are done already: 0 for a new run. With
// batch 0 it shows steps per second.
func NewProgress(w io.Writer, from, total, batch int) *Progress {
	p := newProgress(w, time.Now, from, total, batch)
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > barWidth && os.Getenv("TERM") != "dumb" {
			p.startBar()
		}
	}
	return p
}

func newProgress(w io.Writer, now func() time.Time, from, total, batch int) *Progress {
	if from < 0 || total < from || batch < 0 {
		panic(fmt.Sprintf("report: NewProgress: from step %d to %d, batch %d", from, total, batch))
	}
	t := now()
	return &Progress{w: w, now: now, total: total, batch: batch, step: from, begin: t, last: t, gap: firstGap}
}

func (p *Progress) startBar() {
	p.bar = progressbar.NewOptions(p.total,
		progressbar.OptionSetWriter(p.w),
		progressbar.OptionFullWidth(),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetPredictTime(false), // ours leaves the first step out
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerPadding: "░"}),
	)
}

// Step says that step (1 after a new run's first) is done, with its loss.
func (p *Progress) Step(step int, loss float32) {
	p.loss = p.smooth.add(loss)
	p.advance(step)
}

// Advance is Step for work that has no loss, such as sampling.
func (p *Progress) Advance(step int) {
	p.noLoss = true
	p.advance(step)
}

func (p *Progress) advance(step int) {
	if step <= p.step || step > p.total {
		panic(fmt.Sprintf("report: Progress: step %d after %d, of %d", step, p.step, p.total))
	}
	t := p.now()
	start := p.first.IsZero()
	if start {
		p.first, p.fromStep = t, step
	} else {
		n := float64(step - p.step)
		p.done += n
		p.perStep += (t.Sub(p.last).Seconds()/n - p.perStep) * min(1, max(n/p.done, 0.05*n)) // over about 20 steps
	}
	p.step, p.last = step, t

	switch {
	case step == p.total: // Finish shows it
	case p.bar != nil:
		if start || t.Sub(p.shown) >= barGap {
			p.shown = t
			p.draw()
		}
	case start:
		p.shown = t
		p.print(p.line(t) + "\n")
	case t.Sub(p.shown) >= p.gap:
		p.shown = t
		p.gap = min(p.gap*3/2, lastGap)
		p.print(p.line(t) + "\n")
	}
}

// Resume says that the time since the last Step went into something else (a sample grid, a checkpoint): images per second leave
// it out, the time left does not.
func (p *Progress) Resume() { p.last = p.now() }

// Rate returns images per second (steps with batch 0) over about the last 20 steps, 0 while it is not known.
func (p *Progress) Rate() float64 {
	if p.perStep <= 0 {
		return 0
	}
	return float64(max(p.batch, 1)) / p.perStep
}

// Elapsed returns the time since NewProgress.
func (p *Progress) Elapsed() time.Duration { return p.now().Sub(p.begin) }

// Finish shows the last line, whether or not all steps were done, and returns the first error of writing.
func (p *Progress) Finish() error {
	if p.bar != nil {
		p.keep(p.bar.Clear())
	}
	p.print(p.where() + "  " + p.speed() + "in " + Duration(p.Elapsed()) + "\n")
	return p.err
}

// where is the part of the line that says what is done.
func (p *Progress) where() string {
	s := fmt.Sprintf("step %*d/%d", max(5, len(fmt.Sprint(p.total))), p.step, p.total)
	if !p.first.IsZero() && !p.noLoss {
		s += "  loss " + shortLoss(p.loss)
	}
	return s
}

// speed is the part that says how fast, with two blanks after it; empty while that is not known.
func (p *Progress) speed() string {
	rate := p.Rate()
	if rate == 0 {
		return ""
	}
	digits, unit := 0, "images"
	if rate < 9.95 {
		digits = 1
	}
	if p.batch == 0 {
		unit = "steps"
	}
	return fmt.Sprintf("%.*f %s/s  ", digits, rate, unit)
}

// left is the part that says how long it will take, from all steps but the first, pauses included.
func (p *Progress) left(t time.Time) string {
	n := p.step - p.fromStep
	if n < 1 {
		return ""
	}
	each := t.Sub(p.first).Seconds() / float64(n)
	seconds := min(each*float64(p.total-p.step), 1e9)
	return Duration(time.Duration(seconds*float64(time.Second))) + " left"
}

func (p *Progress) line(t time.Time) string {
	return strings.TrimSpace(p.where() + "  " + p.speed() + p.left(t))
}

func (p *Progress) draw() {
	p.bar.Describe(p.line(p.last)) // draws
	p.keep(p.bar.Set(p.step))      // draws again if the percentage changed
}

func (p *Progress) print(s string) {
	_, err := io.WriteString(p.w, s)
	p.keep(err)
}

func (p *Progress) keep(err error) {
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("cannot show the progress: %w", err)
	}
}

// shortLoss writes a loss in about six columns.
func shortLoss(v float32) string {
	x := float64(v)
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0) || math.Abs(x) >= 1000 || x != 0 && math.Abs(x) < 0.001:
		return fmt.Sprintf("%.3g", x)
	}
	return fmt.Sprintf("%.4f", x)
}
