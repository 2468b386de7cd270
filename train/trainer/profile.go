// SPDX-License-Identifier: MIT

package trainer

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"jitvk/engine"
	"jitvk/engine/files"
	"jitvk/kernels"
	"jitvk/kernels/measure"
	"jitvk/model/report"
	"jitvk/train/dataset"
)

// TraceName is the file that -profile writes into the run's folder.
const TraceName = "trace.json"

const profileWarmup = 2 // steps: CPU drivers compile in the first

// A profile is where the time of some training steps goes, which do not overlap.
type profile struct {
	steps              int
	read, submit, wait time.Duration // what the host does in all of them
	kernels            []kernelTime  // the slowest first
	device             time.Duration // all kernels
	trace              []traceEvent  // the last step
}

// A kernelTime is the sum of all calls of a shader.
type kernelTime struct {
	name         string
	calls        int
	time         time.Duration
	flops, bytes float64
}

// runProfile is what -profile does instead of training: it prints a table of the kernels and writes a step's trace.
func runProfile(ctx context.Context, s *State, data *dataset.Dataset, dir string, out io.Writer) error {
	f, err := s.profile(ctx, data)
	if err != nil {
		return err
	}
	peaks, err := measure.Device(s.dev, 3)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, TraceName)
	err = files.AtomicWrite(file, func(w io.Writer) error {
		return json.NewEncoder(w).Encode(map[string]any{"displayTimeUnit": "ms", "traceEvents": f.trace})
	})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "\n%s\n", f.table(peaks)); err != nil {
		return err
	}
	h := f.summary(s.dev.Info(), s.Batch)
	for _, p := range peaks {
		h.Add("peak", "%s: %.3g %s, measured after the steps", p.Name, p.Rate, p.Unit)
	}
	h.Add("trace", "%s, one step for chrome://tracing or ui.perfetto.dev", file)
	return h.Print(out)
}

// profile runs s.Profile steps, each of which is waited for.
func (s *State) profile(ctx context.Context, data *dataset.Dataset) (*profile, error) {
	f := &profile{steps: s.Profile}
	feed := &timedFeed{Pictures: newFeed(s.Config, data)}
	for i := -profileWarmup; i < f.steps; i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		feed.took = 0
		start := time.Now()
		p, err := s.Step(feed)
		if err != nil {
			return nil, err
		}
		read := feed.took
		submit := time.Since(start) - read
		if _, err := p.Wait(); err != nil {
			return nil, err
		}
		wait := time.Since(start) - read - submit
		if i < 0 {
			continue
		}
		timings, err := s.program.Timings()
		if err != nil {
			return nil, err
		}
		for _, t := range timings {
			at := slices.IndexFunc(f.kernels, func(k kernelTime) bool { return k.name == t.Shader })
			if at < 0 {
				at = len(f.kernels)
				f.kernels = append(f.kernels, kernelTime{name: t.Shader})
			}
			k := &f.kernels[at]
			k.calls, k.time, k.flops, k.bytes = k.calls+1, k.time+t.Time, k.flops+t.FLOPs, k.bytes+t.Bytes
			f.device += t.Time
		}
		f.read, f.submit, f.wait = f.read+read, f.submit+submit, f.wait+wait
		f.trace = trace(read, submit, wait, timings)
	}
	slices.SortFunc(f.kernels, func(a, b kernelTime) int { return cmp.Compare(b.time, a.time) })
	return f, nil
}

// A timedFeed tells how long the pictures of a step take to gather, which Step does on its way.
type timedFeed struct {
	Pictures
	took time.Duration
}

func (f *timedFeed) Batch(dst []byte, number int64) {
	start := time.Now()
	f.Pictures.Batch(dst, number)
	f.took += time.Since(start)
}

// table has a line for each kernel: its calls and its time a step, its share of the time, its rates, and of the two peaks
// the one that it comes nearer to.
func (f *profile) table(peaks measure.Peaks) string {
	var b strings.Builder
	width := 0
	for _, k := range f.kernels {
		width = max(width, len(k.name))
	}
	fmt.Fprintf(&b, "%-*s %7s %10s %7s %9s %8s  %s\n", width, "kernel", "calls", "us a step", "share", "GFLOP/s", "GB/s", "of peak")
	line := func(k kernelTime, of string) {
		seconds := k.time.Seconds()
		fmt.Fprintf(&b, "%-*s %7d %10.0f %6.1f%% %9.2f %8.2f  %s\n", width, k.name, k.calls/f.steps, seconds*1e6/float64(f.steps),
			100*seconds/f.device.Seconds(), k.flops/seconds/1e9, k.bytes/seconds/1e9, of)
	}
	all := kernelTime{name: "all"}
	for _, k := range f.kernels {
		all.calls, all.time, all.flops, all.bytes = all.calls+k.calls, all.time+k.time, all.flops+k.flops, all.bytes+k.bytes
		line(k, k.ofPeak(peaks))
	}
	line(all, "")
	return b.String()
}

// ofPeak says how near a kernel comes to what holds it up: arithmetic, or memory, which is measured by a copy.
func (k kernelTime) ofPeak(peaks measure.Peaks) string {
	top, what := peaks.Rate(measure.FMA), measure.FMA
	if m := peaks.Rate(measure.Matrix); kernels.OnMatrixUnit(k.name) && m > 0 {
		top, what = m, measure.Matrix
	}
	arithmetic := k.flops / k.time.Seconds() / 1e9 / top
	memory := k.bytes / k.time.Seconds() / 1e9 / peaks.Rate(measure.Copy)
	if memory > arithmetic {
		arithmetic, what = memory, measure.Copy
	}
	return fmt.Sprintf("%3.0f %% of %s", 100*arithmetic, what)
}

// summary is where a step's time goes outside of kernels.
func (f *profile) summary(info engine.Info, batch int) *report.Header {
	ms := func(d time.Duration) float64 { return d.Seconds() * 1e3 / float64(f.steps) }
	step := f.read + f.submit + f.wait
	h := &report.Header{}
	h.Add("a step", "%.2f ms: %.1f images/s", ms(step), float64(batch*f.steps)/step.Seconds())
	h.Add("kernels", "%.2f ms of it", ms(f.device))
	h.Add("host", "%.2f ms, %.1f %%: %.2f ms read pictures, %.2f ms submit, %.2f ms are copies and waking up\n(training has submitted "+
		"the next step by then)",
		ms(step-f.device), 100*(1-f.device.Seconds()/step.Seconds()), ms(f.read), ms(f.submit), ms(f.wait-f.device))
	if info.CPU() {
		h.Add("note", "this device is the host: training, which does overlap them, has both share its cores")
	}
	return h
}

// A traceEvent is one of Chrome's trace format; times are microseconds.
type traceEvent struct {
	Name     string         `json:"name"`
	Phase    string         `json:"ph"` // X: from At for Duration; M: names a row
	At       float64        `json:"ts"`
	Duration float64        `json:"dur"`
	Process  int            `json:"pid"`
	Row      int            `json:"tid"`
	Args     map[string]any `json:"args,omitempty"`
}

// trace draws a step in two rows. The device's clock is not the host's: its row begins where the host has submitted.
func trace(read, submit, wait time.Duration, timings []engine.Timing) []traceEvent {
	const host, device = 1, 2
	events := []traceEvent{
		{Name: "process_name", Phase: "M", Process: 1, Args: map[string]any{"name": "training step"}},
		{Name: "thread_name", Phase: "M", Process: 1, Row: host, Args: map[string]any{"name": "host"}},
		{Name: "thread_name", Phase: "M", Process: 1, Row: device, Args: map[string]any{"name": "device"}},
	}
	us := func(d time.Duration) float64 { return float64(d) / 1e3 }
	at := time.Duration(0)
	add := func(row int, name string, took time.Duration, args map[string]any) {
		events = append(events, traceEvent{name, "X", us(at), us(took), 1, row, args})
		at += took
	}
	add(host, "read pictures", read, nil)
	add(host, "submit", submit, nil)
	add(host, "wait", wait, nil)
	at = read + submit
	for i, t := range timings {
		add(device, t.Shader, t.Time, map[string]any{"command": i, "GFLOP": t.FLOPs / 1e9, "MB": t.Bytes / 1e6})
	}
	return events
}
