// SPDX-License-Identifier: MIT

// Package trainer is the program `go run ./train`: data in, a training step replayed until it is done, and in the run's
// folder the configuration, the log, the loss curve, a grid of samples and a checkpoint.
//
// What can be chosen is in model/run. run.go is the program from its start to the first step and loop.go what follows; data.go opens
// the pictures and feed.go puts them in order, state.go holds the run on the device and records its step, precision.go is fp16's loss
// scale, save.go and folder.go keep what comes of it, resume.go goes on from a checkpoint, profile.go is what -profile does instead.
package trainer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/tune"
	"jitvk/model/report"
	"jitvk/model/run"
	"jitvk/model/sampler"
)

// Run trains, or profiles, as c says and returns the run's folder. Cancelling ctx ends the run after the step under way, with
// everything saved.
func Run(ctx context.Context, c run.Config, out io.Writer) (dir string, err error) {
	began := time.Now()
	if err := errors.Join(c.Validate(), kernels.CheckRung()); err != nil {
		return "", err
	}
	if c.DryRun {
		return "", dryRun(ctx, c, out)
	}
	if err := freeFolder(c.Out); err != nil { // before minutes go into packing pictures
		return "", err
	}
	dev, err := open(ctx, c, out)
	if err != nil {
		return "", err
	}
	defer dev.Close()
	data, err := openData(ctx, c, out)
	if err != nil {
		return "", err
	}
	defer data.Close()
	s, samples, err := build(dev, c.WithClasses(data.Classes()))
	if err != nil {
		return "", err
	}
	defer s.Close()
	defer samples.Close()
	dev.KeepPipelines()
	memory := dev.Stats().Bytes // staging memory, which comes from now on, is the host's
	h := header(dev, s.Config, s.FLOPs())
	if err := s.begin(data, h); err != nil {
		return "", err
	}
	dir, release, err := takeFolder(c)
	if err != nil {
		return "", err
	}
	defer release()
	h.Add("memory", "%s on the device", report.Bytes(memory))
	h.Add("data", "%s: %s", data.Source, data.Report)
	h.Add("run", "%s", dir)
	if err := h.Print(out); err != nil {
		return dir, err
	}
	if err := s.Save(dir); err != nil {
		return dir, err
	}
	if c.Profile > 0 {
		return dir, runProfile(ctx, s, data, dir, out)
	}
	return dir, loop(ctx, began, s, data, samples, dir, out)
}

// open opens the device, which chooses its kernels as the run has it best. A run that does not fit is refused.
func open(ctx context.Context, c run.Config, out io.Writer) (*engine.Device, error) {
	r := tune.Request{Device: c.Device, Mode: c.Tune, Budget: c.Budget, Kept: c.Kept, DryRun: c.DryRun,
		Say: func(line string) { fmt.Fprintln(out, line) }}
	return tune.Open(ctx, r, func(plan *engine.Device) error {
		s, samples, err := build(plan, c)
		if err != nil {
			return err
		}
		defer s.Close()
		defer samples.Close()
		return fits(plan)
	})
}

// build puts a run on a device: its state, and the sampler for its grid.
func build(dev *engine.Device, c run.Config) (*State, *sampler.Sampler, error) {
	s, err := NewState(dev, c)
	if err != nil {
		return nil, nil, err
	}
	samples, err := sampler.New(dev, s.m, s.sampleWeights(), gridSize(c), s.precision)
	if err != nil {
		s.Close()
		return nil, nil, err
	}
	return s, samples, nil
}

// fits refuses a run that a CPU driver would grant and the system then kill: there memory is taken when it is first touched.
// Other drivers refuse by themselves, and may have more than one kind of memory.
func fits(plan *engine.Device) error {
	info, need := plan.Info(), plan.Stats().Bytes
	if info.CPU() && need > info.MemoryBytes {
		return fmt.Errorf("train: the run needs %s, %s has %s: %w", report.Bytes(need), info.Name, report.Bytes(info.MemoryBytes),
			engine.ErrOutOfMemory)
	}
	return nil
}

// describe is what can be said of the model before its memory is planned.
func describe(dev *engine.Device, c run.Config) *report.Header {
	m, info := c.Model, dev.Info()
	h := &report.Header{}
	h.Add("device", "%s (%s, %s)", info.Name, info.Type, info.Driver)
	h.Add("model", "%s: %d px, patch %d, stride %d, width %d, depth %d, heads %d, hidden %d, %s", m.Preset, m.Size, m.Patch, m.Stride,
		m.Dim, m.Depth, m.Heads, m.Hidden, m.Norm)
	h.Add("parameters", "%s", report.Count(int64(m.ParamCount())))
	h.Add("tokens", "%d an image", m.Tokens())
	return h
}

// header is what training and dry run alike say of a run.
func header(dev *engine.Device, c run.Config, stepFLOPs float64) *report.Header {
	h := describe(dev, c)
	h.Add("precision", "%s", c.Precision)
	batches := ""
	if c.Accumulate > 1 {
		batches = fmt.Sprintf(" in %d batches of %d", c.Accumulate, c.Batch)
	}
	h.Add("operations", "%s a step of %d images%s", report.Ops(stepFLOPs, "FLOP"), c.Images(), batches)
	return h
}

// dryRun says what was planned: everything that Run would put on the device, by the same code.
func dryRun(ctx context.Context, c run.Config, out io.Writer) error {
	if c.Labels != "" { // how many classes there are is part of the model
		data, err := openData(ctx, c, out)
		if err != nil {
			return err
		}
		c = c.WithClasses(data.Classes())
		if err := data.Close(); err != nil {
			return err
		}
	}
	plan, err := open(ctx, c, out)
	if err != nil {
		return err
	}
	defer plan.Close()
	s, samples, err := build(plan, c)
	if errors.Is(err, engine.ErrOutOfMemory) { // what the model is can be said all the same
		h := describe(plan, c)
		h.Add("forward", "%s an image", report.Ops(c.Model.ForwardMACs(), "MAC"))
		h.Add("too much", "%v", err)
		return h.Print(out)
	}
	if err != nil {
		return err
	}
	defer s.Close()
	defer samples.Close()
	h := header(plan, s.Config, s.FLOPs())
	h.Add("forward", "%s an image", report.Ops(c.Model.ForwardMACs(), "MAC"))
	var arena int64
	for _, p := range s.programs() {
		arena += p.ArenaBytes()
	}
	h.Add("memory", "%s planned on the device, %s of it for what a step computes on the way", report.Bytes(plan.Stats().Bytes),
		report.Bytes(arena))
	addPlan(h, s)
	if err := fits(plan); err != nil {
		h.Add("too much", "the device has %s", report.Bytes(plan.Info().MemoryBytes))
	}
	h.Add("dry run", "nothing was allocated")
	return h.Print(out)
}

// assumedRate, in floating point operations a second, is what a dry run counts submissions for: a large GPU's matrix units.
const assumedRate = 100e12

// addPlan says what a step is for the device: its commands, and the least that they move. Accumulation replays some of them.
func addPlan(h *report.Header, s *State) {
	var commands, barriers, submissions int
	var products, attention, rest float64
	for _, p := range s.programs() {
		times := 1
		if p == s.program {
			times = s.Accumulate
		}
		plan := p.Plan()
		commands, barriers = commands+times*len(plan.Commands), barriers+times*plan.Barriers
		submissions += times * p.Submissions(assumedRate)
		for _, c := range plan.Commands {
			of := &rest
			switch {
			case strings.HasPrefix(c.Shader, "matmul/"):
				of = &products
			case strings.HasPrefix(c.Shader, "attention/"):
				of = &attention
			}
			*of += float64(times) * c.Bytes
		}
	}
	h.Add("a step", "%d commands, %d barriers; at %s %d submissions", commands, barriers, report.Ops(assumedRate, "FLOP/s"), submissions)
	h.Add("moves", "at least %s: products %s, attention %s, the rest %s", report.Bytes(int64(products+attention+rest)),
		report.Bytes(int64(products)), report.Bytes(int64(attention)), report.Bytes(int64(rest)))
}
