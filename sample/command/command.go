// SPDX-License-Identifier: MIT

// Package command is the program `go run ./sample`: it loads a checkpoint, draws pictures from it and writes them as one
// grid, classes down and guidance across where there are any, and their whole way from noise to image as a trajectory if
// asked to. Or it plots how the solvers' errors fall with their steps.
//
// config.go says what can be chosen, classes.go what is drawn, weights.go loads a checkpoint, command.go is the program, draw.go and
// convergence.go are the two things that it can do.
package command

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/tune"
	"jitvk/model"
	"jitvk/model/checkpoint"
	"jitvk/model/report"
	"jitvk/model/run"
	"jitvk/model/sampler"
)

// Run samples as c says.
func Run(ctx context.Context, c Config, out io.Writer) error {
	if err := kernels.CheckRung(); err != nil {
		return err
	}
	path := c.Checkpoint
	if path == "" {
		var err error
		if path, err = run.Newest("runs"); err != nil {
			return fmt.Errorf("sample: %w", err)
		}
	}
	f, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	meta, err := run.Load(f)
	if err != nil {
		return fmt.Errorf("sample: %s: %w", path, err)
	}
	config := meta.Config.Model
	classes, err := c.classes(config, meta.Config.ClassNames)
	if err != nil {
		return fmt.Errorf("sample: %s: %w", path, err)
	}
	c.complete(filepath.Dir(path))
	if err := c.check(path, config.Size, len(classes)); err != nil {
		return err
	}
	dev, err := c.open(ctx, config, out)
	if err != nil {
		return err
	}
	defer dev.Close()
	precision, err := kernels.ParsePrecision(c.Precision, dev.Info())
	if err != nil {
		return fmt.Errorf("sample: -precision %w", err)
	}
	m, err := model.New(dev, config)
	if err != nil {
		return err
	}
	defer m.Close()
	weights, kind, err := load(dev, m, path, f, c.Weights)
	if err != nil {
		return fmt.Errorf("sample: %w", err)
	}
	defer weights.Close()
	s, err := sampler.New(dev, m, weights, c.Batch, precision)
	if err != nil {
		return err
	}
	defer s.Close()
	h := &report.Header{}
	h.Add("device", "%s (%s, %s)", dev.Info().Name, dev.Info().Type, dev.Info().Driver)
	h.Add("checkpoint", "%s, step %d, %s", path, meta.Step, kind)
	h.Add("model", "%s: %d px, %s parameters", config.Preset, config.Size, report.Count(int64(config.ParamCount())))
	c.describe(h, len(classes))
	h.Add("precision", "%v", precision)
	h.Add("memory", "%s on the device", report.Bytes(dev.Stats().Bytes))
	if c.DryRun {
		h.Add("dry run", "nothing was allocated")
		return h.Print(out)
	}
	if err := h.Print(out); err != nil {
		return err
	}
	if c.Convergence != "" {
		title := fmt.Sprintf("%s, step %d, on %s", config.Preset, meta.Step, dev.Info().Name)
		return c.converge(ctx, s, c.options(classes[0], c.Guidance[0]), title, out)
	}
	return c.draw(ctx, s, classes, config.Size, f.Meta["config"], out)
}

// describe says in h what is to be drawn.
func (c Config) describe(h *report.Header, classes int) {
	if c.Convergence == "" {
		h.Add("sampling", "%d pictures, %d %v steps (%d evaluations of the network), seed %d",
			c.total(classes), c.Steps, c.Solver, c.Solver.Evaluations(c.Steps), c.Seed)
	}
	if c.Classes != nil {
		h.Add("classes", "%d with guidance %s for tau from %g to %g", classes, strings.Trim(fmt.Sprint(c.Guidance), "[]"), c.Low, c.High)
	}
}

// open opens the device, which chooses its kernels as drawing c.Batch pictures at once has it best.
func (c Config) open(ctx context.Context, config model.Config, out io.Writer) (*engine.Device, error) {
	r := tune.Request{Device: c.Device, Mode: c.Tune, DryRun: c.DryRun, Say: func(line string) { fmt.Fprintln(out, line) }}
	return tune.Open(ctx, r, func(plan *engine.Device) error {
		precision, err := kernels.ParsePrecision(c.Precision, plan.Info())
		if err != nil {
			return fmt.Errorf("sample: -precision %w", err)
		}
		m, err := model.New(plan, config)
		if err != nil {
			return err
		}
		weights, err := plan.NewBuffer("weights", m.Layout.Bytes())
		if err != nil {
			return err
		}
		_, err = sampler.New(plan, m, weights, c.Batch, precision)
		return err
	})
}
