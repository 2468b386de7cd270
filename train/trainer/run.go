// SPDX-License-Identifier: MIT

// Package trainer is the program `go run ./train`: data in, a training step replayed until it is done, and in the run's
// folder the configuration, the log, the loss curve, a grid of samples and a checkpoint.
//
// What can be chosen is in model/run, state.go holds the run on the device and records its step, run.go is the loop, resume.go
// goes on from a checkpoint, profile.go is what -profile does instead.
package trainer

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"time"

	"jitvk/engine"
	"jitvk/engine/files"
	"jitvk/kernels"
	"jitvk/model/checkpoint"
	"jitvk/model/grid"
	"jitvk/model/report"
	"jitvk/model/run"
	"jitvk/model/sampler"
	"jitvk/train/dataset"
	"jitvk/train/faces"
)

const (
	builtinFaces = 20000   // portraits of the built-in data set, fewer where they would
	builtinBytes = 1 << 29 // take more than this
	builtinSeed  = 1
	gridPictures = 32 // of the sample grid, fewer in runs that are short for their model
	gridSteps    = 40 // solver steps for each
	gridsPerRun  = 10 // how often the grid is redrawn, if that takes no more time than the steps
	packingGap   = 5 * time.Second
	saveGap      = 10 * time.Minute // at most this much work is lost to a kill
)

// Run trains, or profiles, as c says and returns the run's folder. Cancelling ctx ends the run after the step under way, with
// everything saved.
func Run(ctx context.Context, c run.Config, out io.Writer) (dir string, err error) {
	began := time.Now()
	if err := errors.Join(c.Validate(), kernels.CheckRung()); err != nil {
		return "", err
	}
	if !c.DryRun { // what can be known before minutes go into packing pictures
		if err := freeFolder(c.Out); err != nil {
			return "", err
		}
	}
	if c.DryRun && c.Labels != "" { // how many classes there are is part of the model
		data, err := openData(ctx, c, out)
		if err != nil {
			return "", err
		}
		c = c.WithClasses(data.Classes())
		if err := data.Close(); err != nil {
			return "", err
		}
	}
	plan, err := engine.Open(engine.Options{Select: c.Device, DryRun: true})
	if err != nil {
		return "", err
	}
	defer plan.Close()
	mode := recall(c, plan)
	s, samples, err := build(plan, c)
	if c.DryRun && errors.Is(err, engine.ErrOutOfMemory) { // what the model is can be said all the same
		h := describe(plan, c)
		h.Add("forward", "%s an image", report.Ops(c.Model.ForwardMACs(), "MAC"))
		h.Add("too much", "%v", err)
		return "", h.Print(out)
	}
	if err != nil {
		return "", err
	}
	defer s.Close()
	defer samples.Close()
	if c.DryRun {
		return "", dryRun(s, out)
	}
	if err := fits(plan); err != nil {
		return "", err
	}
	dev, err := mode.Open(ctx, c.Device, plan, func(line string) { fmt.Fprintln(out, line) })
	if err != nil {
		return "", err
	}
	defer dev.Close()
	data, err := openData(ctx, c, out)
	if err != nil {
		return "", err
	}
	defer data.Close()
	c = c.WithClasses(data.Classes())
	if s, samples, err = build(dev, c); err != nil {
		return "", err
	}
	defer s.Close()
	defer samples.Close()
	dev.KeepPipelines()
	memory := dev.Stats().Bytes // staging memory, which comes from now on, is the host's
	s.began, s.data = began, data.Fingerprint()
	h := header(dev, s.Config, s.FLOPs())
	if c.Resume != "" {
		err = s.resume(data, h)
	} else {
		err = s.Init()
	}
	if err != nil {
		return "", err
	}
	switch dir = c.Out; {
	case dir != "":
		err = newFolder(dir)
	case c.Resume != "":
		dir = filepath.Dir(c.Resume)
	default:
		dir, err = run.NextDir("runs", c.Model.Preset)
	}
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.Remove(dir) // does nothing if it holds anything
		}
	}()
	running, err := files.Create(filepath.Join(dir, "running")) // two processes in one folder would take each other's log away
	if err != nil {
		return "", err
	}
	defer running.Abort()
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
	return dir, loop(ctx, s, data, samples, dir, out)
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
		return fmt.Errorf("train: the run needs %s, %s has %s: %w; lower -batch (-accumulate makes up for it) or the model's size, or turn on -checkpoint-blocks", report.Bytes(need), info.Name,
			report.Bytes(info.MemoryBytes), engine.ErrOutOfMemory)
	}
	return nil
}

// describe is what can be said of the model before its memory is planned.
func describe(dev *engine.Device, c run.Config) *report.Header {
	m, info := c.Model, dev.Info()
	h := &report.Header{}
	h.Add("device", "%s (%s, %s)", info.Name, info.Type, info.Driver)
	h.Add("model", "%s: %d px, patch %d, stride %d, width %d, depth %d, heads %d, hidden %d, %s", m.Preset, m.Size, m.Patch, m.Stride, m.Dim,
		m.Depth, m.Heads, m.Hidden, m.Norm)
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
func dryRun(s *State, out io.Writer) error {
	h := header(s.dev, s.Config, s.FLOPs())
	h.Add("forward", "%s an image", report.Ops(s.Config.Model.ForwardMACs(), "MAC"))
	var arena int64
	for _, p := range s.programs() {
		arena += p.ArenaBytes()
	}
	h.Add("memory", "%s planned on the device, %s of it for what a step computes on the way", report.Bytes(s.dev.Stats().Bytes), report.Bytes(arena))
	if err := fits(s.dev); err != nil {
		h.Add("too much", "the device has %s", report.Bytes(s.dev.Info().MemoryBytes))
	}
	h.Add("dry run", "nothing was allocated")
	return h.Print(out)
}

func openData(ctx context.Context, c run.Config, out io.Writer) (*dataset.Dataset, error) {
	o := dataset.Options{Size: c.Model.Size, Labels: c.Attributes(), Log: func(line string) { fmt.Fprintln(out, line) }}
	shown := time.Now()
	o.Progress = func(done, total int) {
		if t := time.Now(); t.Sub(shown) >= packingGap {
			shown = t
			fmt.Fprintf(out, "packing     %s of %s pictures\n", report.Count(int64(done)), report.Count(int64(total)))
		}
	}
	if c.Data != "" {
		return dataset.Open(ctx, c.Data, o)
	}
	portraits := dataset.Drawn{Name: "built-in portraits", Key: fmt.Sprintf("faces %d", builtinSeed), N: max(1, min(builtinFaces, builtinBytes/(3*c.Model.Size*c.Model.Size))),
		Draw: func(index, size int) image.Image { m, _ := faces.Draw(builtinSeed, index, size); return m }}
	for _, name := range faces.AttributeNames() {
		portraits.Attributes = append(portraits.Attributes, dataset.Attribute{Name: name, Values: faces.AttributeLabels(name),
			Value: func(i int) int { v, _ := faces.Describe(builtinSeed, i).Value(name); return v }})
	}
	return dataset.OpenDrawn(ctx, portraits, o)
}

// freeFolder refuses a folder that the user named for a run and that already holds one, or that is none; "" names none.
func freeFolder(dir string) error {
	if dir == "" {
		return nil
	}
	for _, name := range []string{"log.csv", run.CheckpointName} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("train: -out %s already holds a run; name a new folder or remove it", dir)
		}
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("train: -out %s is a file; name a new folder", dir)
	}
	return nil
}

// newFolder makes the folder that the user named for a run.
func newFolder(dir string) error {
	if err := freeFolder(dir); err != nil { // another run may have taken it in the meantime
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("train: -out: %w; name a folder that can be written", err)
	}
	return nil
}

// loop runs the steps. The host prepares a step while the device runs the one before: results come one step late.
func loop(ctx context.Context, s *State, data *dataset.Dataset, samples *sampler.Sampler, dir string, out io.Writer) (err error) {
	log, err := report.OpenLog(filepath.Join(dir, "log.csv"), s.at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	_, mse := data.Mean(s.Flip)
	baseline := max(mse, 0) * s.Config.Model.LossWeight() // the loss of always predicting the mean picture

	f := newFeed(s.Config, data)
	elapsed := 0.0 // seconds of training before this start
	if rows := log.Rows(); len(rows) > 0 {
		elapsed = rows[len(rows)-1].Seconds
	}
	progress := report.NewProgress(out, s.at, s.Steps, s.Images())
	saved, last := 0, time.Now() // step of the last checkpoint, and when it was written
	save := func() error {
		defer progress.Resume()
		defer func() { last = time.Now() }()
		return s.saveAll(ctx, samples, dir, log.Rows(), baseline, &saved)
	}
	defer func() {
		if err != nil && saved > 0 {
			err = fmt.Errorf("%w (step %d is kept in %s)", err, saved, filepath.Join(dir, run.CheckpointName))
		}
	}()
	first := time.Duration(0) // from the start to the end of the first step
	note := func(p Pending) error {
		r, err := p.Wait()
		if err != nil {
			return err
		}
		if first == 0 {
			first = time.Since(s.began)
		}
		if r.Skipped {
			return nil
		}
		progress.Step(r.Step, r.Loss)
		_, err = log.Add(report.Row{Step: r.Step, Loss: r.Loss, GradNorm: r.GradNorm, LR: float32(r.LR), ImagesPerSecond: progress.Rate(), Seconds: elapsed + progress.Elapsed().Seconds()})
		return err
	}
	steps := func() error {
		var before *Pending
		for s.at < s.Steps && ctx.Err() == nil {
			p, err := s.Step(f)
			if err != nil {
				return err
			}
			if before != nil {
				if err := note(*before); err != nil {
					return err
				}
			}
			before = &p
			if (s.at%gridEvery(s.Config) == 0 || time.Since(last) > saveGap) && s.at < s.Steps {
				if err := note(p); err != nil {
					return err
				}
				before = nil
				if err := save(); err != nil {
					return err
				}
			}
		}
		if before != nil {
			return note(*before)
		}
		return nil
	}
	err = steps()
	screen := progress.Finish() // that the screen cannot be written to must not cost the results
	if err != nil {
		return err
	}
	interrupted := ctx.Err() != nil
	if interrupted {
		ctx = context.WithoutCancel(ctx)
	}
	if err := save(); err != nil {
		return err
	}
	rows := log.Rows()
	if len(rows) > 0 {
		last := rows[len(rows)-1]
		fmt.Fprintf(out, "loss %.4f (smoothed; always predicting the mean picture gives %.4f) after %s; the first step ended %.1f s after the start\n",
			last.Smoothed, baseline, report.Duration(progress.Elapsed()), first.Seconds())
	}
	if s.scaler.Skipped > 0 {
		fmt.Fprintf(out, "%d steps were skipped because a gradient overflowed in fp16; the loss scale is now %g\n", s.scaler.Skipped, s.scaler.Scale)
	}
	switch {
	case interrupted:
		fmt.Fprintf(out, "interrupted at step %d of %d; everything up to it is saved: -resume %s goes on\n", s.at, s.Steps, dir)
	case ctx.Err() != nil:
		fmt.Fprintln(out, "interrupted while the samples were drawn; everything else is saved")
	}
	fmt.Fprintf(out, "samples     %s\nloss curve  %s\ncheckpoint  %s\n", filepath.Join(dir, "samples.png"), filepath.Join(dir, "loss.png"), filepath.Join(dir, run.CheckpointName))
	return screen
}

// gridSize returns how many pictures the grid has: as many as a tenth of the run's work draws, a solver step being a third of
// a training step's work a picture.
func gridSize(c run.Config) int {
	return min(max(3*c.Steps*c.Images()/(10*gridSteps), 1), gridPictures)
}

// gridEvery returns the number of steps from grid to grid. A solver step costs a third of a training step of as many
// pictures; the grids of a short run must not take more time than its steps.
func gridEvery(c run.Config) int {
	return max(c.Steps/gridsPerRun, gridSize(c)*gridSteps/(3*c.Images()), 1)
}

// saveAll writes the checkpoint, the loss curve and the sample grid, each whole or not at all. saved becomes the checkpoint's
// step as soon as that is written.
func (s *State) saveAll(ctx context.Context, samples *sampler.Sampler, dir string, rows []report.Row, baseline float64, saved *int) error {
	tensors, err := s.Tensors()
	if err != nil {
		return err
	}
	meta, err := s.meta()
	if err != nil {
		return err
	}
	if err := checkpoint.Save(filepath.Join(dir, run.CheckpointName), meta, tensors); err != nil {
		return err
	}
	*saved = s.at
	if err := report.SaveLoss(filepath.Join(dir, "loss.png"), rows, report.LossPlot{Title: s.Config.Model.Preset + " on " + s.dev.Info().Name,
		Baseline: baseline, BaselineName: "always predicting the mean picture"}); err != nil {
		return err
	}
	var labels []int // the classes by turns
	if classes := len(s.ClassNames); classes > 0 {
		labels = make([]int, gridSize(s.Config))
		for i := range labels {
			labels[i] = i % classes
		}
	}
	pictures, err := samples.Sample(ctx, sampler.Options{N: gridSize(s.Config), Steps: gridSteps, Seed: s.Seed, Labels: labels})
	if ctx.Err() != nil {
		return nil // the loop ends the run
	}
	if err != nil {
		return err
	}
	size := s.Config.Model.Size
	return grid.Save(filepath.Join(dir, "samples.png"), grid.Draw(pictures, gridSize(s.Config), size, size, 0, grid.Options{}))
}
