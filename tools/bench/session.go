// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/measure"
	"jitvk/kernels/tune"
	"jitvk/model"
	"jitvk/model/run"
	"jitvk/tools/internal/page"
	"jitvk/train/trainer"
)

// A session is one run of the program.
type session struct {
	context.Context
	options
	dev     *engine.Device
	report  *report
	library *library // nil: none here
	torch   *torch   // nil: none here
}

// A group is one kind of measurement: made once, for each preset, or both.
type group struct {
	name string
	once func(*session) error
	each func(*session, model.Config) error
}

// groups are what there is, in the order in which it is measured and printed.
var groups = []group{
	{"matmul", (*session).cube, (*session).matmul},
	{"attention", nil, (*session).attention},
	{"memory", (*session).memory, nil},
	{"step", nil, (*session).step},
	{"sample", nil, (*session).sample},
}

func groupNames() (names []string) {
	for _, g := range groups {
		names = append(names, g.name)
	}
	return names
}

// bench measures what the options ask for.
func bench(ctx context.Context, d *engine.Device, o options) (*report, error) {
	b := &session{Context: ctx, options: o, dev: d, report: &report{Source: page.Here(d.Info())}}
	b.findOthers()
	defer b.library.Close()
	for _, g := range groups {
		if err := b.group(g); err != nil {
			return nil, err
		}
	}
	b.report.Chosen = d.Chosen()
	return b.report, nil
}

// findOthers starts what ours is compared with. What is missing is noted.
func (b *session) findOthers() {
	var err error
	if b.library, err = startLibrary(b.python, b.dev.Info()); err != nil {
		b.report.note("no library beside our ops: %v", err)
	} else if b.library != nil {
		b.report.note("%s: %s", b.library.columns[0], b.library.name)
	}
	if b.torch, err = findTorch(b.python, b.peer); err != nil {
		b.report.note("no PyTorch beside ours: %v", err)
	}
}

// group makes a group's measurements, if the options want them.
func (b *session) group(g group) error {
	if !slices.Contains(b.only, g.name) {
		return nil
	}
	if g.once != nil {
		if err := b.try(g.name, func() error { return g.once(b) }); err != nil {
			return err
		}
	}
	if g.each == nil {
		return nil
	}
	for _, name := range b.presets {
		c, err := run.Preset(name)
		if err != nil {
			return err
		}
		if err := b.try(g.name+", "+name, func() error { return g.each(b, c.Model) }); err != nil {
			return err
		}
	}
	return nil
}

// try makes one measurement. What does not fit into memory is noted, and the others go on.
func (b *session) try(name string, measure func() error) error {
	if err := b.Err(); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s …\n", name)
	err := measure()
	if errors.Is(err, engine.ErrOutOfMemory) {
		b.report.note("%s: %v", name, err)
		return nil
	}
	return err
}

// config is a preset's training with the session's batch: the recipe's, but on a CPU driver what it does in seconds.
func (b *session) config(preset string) (run.Config, error) {
	t, err := run.Preset(preset)
	if err != nil {
		return t, err
	}
	if b.dev.Info().CPU() {
		if t.Batch = min(t.Batch, 32); t.Model.Size > 64 {
			t.Batch = 1
		}
	}
	if b.batch > 0 {
		t.Batch = b.batch
	}
	return t, nil
}

// precisions are fp32 and, where a GPU has a matrix unit for it, fp16.
func (b *session) precisions() []kernels.Precision {
	if _, ok := kernels.PeakFragment(b.dev.Info(), kernels.FP16); ok && !b.dev.Info().CPU() {
		return []kernels.Precision{kernels.FP32, kernels.FP16}
	}
	return []kernels.Precision{kernels.FP32}
}

// open opens the device, which chooses its kernels as for training the presets; other shapes are guesses, or what earlier runs
// have measured.
func open(ctx context.Context, o options) (*engine.Device, error) {
	r := tune.Request{Device: o.device, Mode: o.tune, Budget: o.tuneBudget, Say: func(line string) { fmt.Fprintln(os.Stderr, line) }}
	return tune.Open(ctx, r, func(plan *engine.Device) error {
		b := &session{options: o, dev: plan}
		for _, name := range o.presets {
			if err := b.plan(name); err != nil {
				return err
			}
		}
		return nil
	})
}

// plan records a preset's training in every precision that is measured.
func (b *session) plan(preset string) error {
	t, err := b.config(preset)
	if err != nil {
		return err
	}
	for _, precision := range b.precisions() {
		t.Precision = precision.String()
		s, err := trainer.NewState(b.dev, t)
		switch {
		case err == nil:
			s.Close()
		case !errors.Is(err, engine.ErrOutOfMemory): // which is noted when it is timed
			return err
		}
	}
	return nil
}

// race lets contenders take turns with the peaks, which it returns. The report keeps the highest that were seen.
func (b *session) race(m *measure.Memory, contenders ...*measure.Contender) (measure.Peaks, error) {
	peaks, found := measure.PeakContenders(m)
	if err := m.Err(); err != nil {
		return nil, err
	}
	if err := measure.Race(b.dev, append(peaks, contenders...), b.rounds); err != nil {
		return nil, err
	}
	best := append(measure.Peaks{}, found()...)
	for i := range best {
		best[i].Rate = max(best[i].Rate, b.report.Peaks.Rate(best[i].Name))
	}
	b.report.Peaks = best
	return found(), nil
}
