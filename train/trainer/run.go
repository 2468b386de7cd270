// SPDX-License-Identifier: MIT

// Package trainer is the program `go run ./train`: data in, a training step replayed until it is done, and in the run's
// folder the configuration, the log, the loss curve, a grid of samples and a checkpoint.
//
// config.go says what can be chosen, state.go holds the run on the device and records its step, run.go is the loop.
package trainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"

	"jitvk/engine"
	"jitvk/model"
	"jitvk/sample/grid"
	"jitvk/sample/sampler"
	"jitvk/train/checkpoint"
	"jitvk/train/dataset"
	"jitvk/train/faces"
	"jitvk/train/report"
)

const (
	builtinFaces = 20000 // portraits of the built-in data set
	builtinSeed  = 1
	gridPictures = 32 // of the sample grid
	gridSteps    = 40 // solver steps for each
	gridsPerRun  = 10 // how often the grid is redrawn

)

// CheckpointName is the file in a run's folder that sampling and resuming need.
const CheckpointName = "checkpoint.safetensors"

// Run trains as c says and returns the run's folder. Cancelling ctx ends the run after the step under way, with
// everything saved.
func Run(ctx context.Context, c Config, out io.Writer) (dir string, err error) {
	if err := c.Validate(); err != nil {
		return "", err
	}
	dev, err := engine.Open(engine.Options{Select: c.Device, DryRun: c.DryRun})
	if err != nil {
		return "", err
	}
	defer dev.Close()
	if c.DryRun {
		return "", dryRun(dev, c, out)
	}
	data, err := openData(ctx, c, out)
	if err != nil {
		return "", err
	}
	defer data.Close()
	s, err := NewState(dev, c)
	if err != nil {
		return "", err
	}
	defer s.Close()
	samples, err := sampler.New(dev, s.m, s.sampleWeights(), gridPictures)
	if err != nil {
		return "", err
	}
	defer samples.Close()
	if err := s.Init(); err != nil {
		return "", err
	}
	if dir = c.Out; dir == "" {
		dir, err = report.NextRunDir("runs", c.Model.Preset)
	} else {
		err = newFolder(dir)
	}
	if err != nil {
		return "", err
	}
	h := header(dev, c, s.program.FLOPs())
	h.Add("memory", "%s on the device", report.Bytes(dev.Stats().Peak))
	h.Add("data", "%s, %s pictures", data.Source, report.Count(int64(data.Len())))
	h.Add("run", "%s", dir)
	if err := h.Print(out); err != nil {
		return dir, err
	}
	if err := report.SaveConfig(filepath.Join(dir, "config.json"), c); err != nil {
		return dir, err
	}
	return dir, loop(ctx, s, data, samples, dir, out)
}

// header is what training and dry run alike say of the model.
func header(dev *engine.Device, c Config, stepFLOPs float64) *report.Header {
	m, info := c.Model, dev.Info()
	h := &report.Header{}
	h.Add("device", "%s (%s, %s)", info.Name, info.Type, info.Driver)
	h.Add("model", "%s: %d px, patch %d, stride %d, width %d, depth %d, heads %d, hidden %d, %s", m.Preset, m.Size, m.Patch, m.Stride, m.Dim,
		m.Depth, m.Heads, m.Hidden, m.Norm)
	h.Add("parameters", "%s", report.Count(int64(m.ParamCount())))
	h.Add("tokens", "%d an image", m.Tokens())
	h.Add("operations", "%s a step of %d images", report.Ops(stepFLOPs, "FLOP"), c.Batch)
	return h
}

// dryRun plans everything that Run would put on the device, by the same code, and allocates nothing.
func dryRun(dev *engine.Device, c Config, out io.Writer) error {
	s, err := NewState(dev, c)
	if err != nil {
		return err
	}
	samples, err := sampler.New(dev, s.m, s.sampleWeights(), gridPictures)
	if err != nil {
		return err
	}
	defer s.Close()
	defer samples.Close()
	h := header(dev, c, s.program.FLOPs())
	h.Add("forward", "%.3f GMAC an image", c.Model.ForwardMACs()/1e9)
	h.Add("memory", "%s planned on the device, %s of it for what a step computes on the way", report.Bytes(dev.Stats().Peak), report.Bytes(s.program.ArenaBytes()))
	h.Add("dry run", "nothing was allocated")
	return h.Print(out)
}

func openData(ctx context.Context, c Config, out io.Writer) (*dataset.Dataset, error) {
	o := dataset.Options{Size: c.Model.Size, Log: func(line string) { fmt.Fprintln(out, line) }}
	if c.Data != "" {
		return dataset.Open(ctx, c.Data, o)
	}
	return dataset.OpenDrawn(ctx, dataset.Drawn{Name: "built-in portraits", Key: fmt.Sprintf("faces %d", builtinSeed), N: builtinFaces,
		Draw: func(index, size int) image.Image { m, _ := faces.Draw(builtinSeed, index, size); return m }}, o)
}

// newFolder makes a folder for a run that the user named; one that already holds a run is not written over.
func newFolder(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "log.csv")); err == nil {
		return fmt.Errorf("train: -out %s already holds a run; name a new folder or remove it", dir)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("train: -out: %w; name a folder that can be written", err)
	}
	return nil
}

// loop runs the steps. The host prepares a step while the device runs the one before: results come one step late.
func loop(ctx context.Context, s *State, data *dataset.Dataset, samples *sampler.Sampler, dir string, out io.Writer) (err error) {
	log, err := report.OpenLog(filepath.Join(dir, "log.csv"), 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	_, mse := data.Mean(s.Flip)
	baseline := mse * s.Config.Model.VelocityWeight() // the v-loss of always predicting the mean picture

	order := dataset.Order{N: data.Len(), Seed: s.Seed}
	batch := make([]byte, s.Batch*3*s.Config.Model.Size*s.Config.Model.Size)
	progress := report.NewProgress(out, s.at, s.Steps, s.Batch)
	save := func() error {
		defer progress.Resume()
		if err := s.saveAll(ctx, samples, dir, log.Rows(), baseline); err != nil {
			return err
		}
		return nil
	}
	note := func(p Pending) error {
		r, err := p.Wait()
		if err != nil {
			return err
		}
		progress.Step(r.Step, r.Loss)
		_, err = log.Add(report.Row{Step: r.Step, Loss: r.Loss, GradNorm: r.GradNorm, LR: float32(r.LR), ImagesPerSecond: progress.Rate(), Seconds: progress.Elapsed().Seconds()})
		return err
	}
	var before *Pending
	for s.at < s.Steps && ctx.Err() == nil {
		data.Batch(batch, order, int64(s.at), s.Batch)
		p, err := s.Step(batch)
		if err != nil {
			return err
		}
		if before != nil {
			if err := note(*before); err != nil {
				return err
			}
		}
		before = &p
		if s.at%max(s.Steps/gridsPerRun, 1) == 0 && s.at < s.Steps {
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
		if err := note(*before); err != nil {
			return err
		}
	}
	if err := progress.Finish(); err != nil {
		return err
	}
	interrupted := ctx.Err() != nil
	ctx = context.WithoutCancel(ctx)
	if err := save(); err != nil {
		return err
	}
	rows := log.Rows()
	if len(rows) > 0 {
		last := rows[len(rows)-1]
		fmt.Fprintf(out, "loss %.4f (smoothed; always predicting the mean picture gives %.4f) after %s\n", last.Smoothed, baseline, report.Duration(progress.Elapsed()))
	}
	if interrupted {
		fmt.Fprintf(out, "interrupted at step %d of %d; everything up to it is saved\n", s.at, s.Steps)
	}
	fmt.Fprintf(out, "samples     %s\nloss curve  %s\ncheckpoint  %s\n", filepath.Join(dir, "samples.png"), filepath.Join(dir, "loss.png"), filepath.Join(dir, CheckpointName))
	return nil
}

// saveAll writes the checkpoint, the loss curve and the sample grid, each whole or not at all.
func (s *State) saveAll(ctx context.Context, samples *sampler.Sampler, dir string, rows []report.Row, baseline float64) error {
	tensors, err := s.Tensors()
	if err != nil {
		return err
	}
	config, err := json.Marshal(s.Config)
	if err != nil {
		return err
	}
	meta := map[string]string{"format": "jitvk 1", "config": string(config), "step": fmt.Sprint(s.at)}
	if err := checkpoint.Save(filepath.Join(dir, CheckpointName), meta, tensors); err != nil {
		return err
	}
	if err := report.SaveLoss(filepath.Join(dir, "loss.png"), rows, report.LossPlot{Title: s.Config.Model.Preset + " on " + s.dev.Info().Name,
		Baseline: baseline, BaselineName: "always predicting the mean picture"}); err != nil {
		return err
	}
	pictures, err := samples.Sample(ctx, sampler.Options{N: gridPictures, Steps: gridSteps, Seed: s.Seed})
	if ctx.Err() != nil {
		return nil // the loop ends the run
	}
	if err != nil {
		return err
	}
	size := s.Config.Model.Size
	return grid.Save(filepath.Join(dir, "samples.png"), grid.Draw(pictures, gridPictures, size, size, 0, grid.Options{}))
}

// LoadConfig reads the model's configuration from a checkpoint.
func LoadConfig(f *checkpoint.File) (model.Config, error) {
	var c Config
	if f.Meta["format"] != "jitvk 1" {
		return c.Model, fmt.Errorf("not a checkpoint of this program (format %q, \"jitvk 1\" wanted)", f.Meta["format"])
	}
	if err := json.Unmarshal([]byte(f.Meta["config"]), &c); err != nil {
		return c.Model, fmt.Errorf("its configuration cannot be read: %w", err)
	}
	return c.Model, c.Model.Validate()
}
