// SPDX-License-Identifier: MIT

// Package command is the program `go run ./sample`: it loads a checkpoint, draws pictures from it and writes them as one
// grid, classes down and guidance across where there are any, and their whole way from noise to image as a trajectory if
// asked to. Or it plots how the solvers' errors fall with their steps.
//
// config.go says what can be chosen, classes.go what is drawn, weights.go loads a checkpoint, outputs.go looks whether what comes of
// it can be kept, command.go is the program, draw.go and convergence.go are the two things that it can do.
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
	path := run.CheckpointOf(c.Checkpoint)
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
	net := meta.Config.Model
	classes, err := c.classes(net, meta.Config.ClassNames)
	if err != nil {
		return fmt.Errorf("sample: %s: %w", path, err)
	}
	c.complete(filepath.Dir(path))
	if err := c.check(path, net.Size, len(classes)); err != nil {
		return err
	}
	dev, err := c.open(ctx, net, out)
	if err != nil {
		return err
	}
	defer dev.Close()
	m, err := model.New(dev, net)
	if err != nil {
		return err
	}
	defer m.Close()
	weights, kind, err := load(dev, m, path, f, c.Weights)
	if err != nil {
		return fmt.Errorf("sample: %w", err)
	}
	defer weights.Close()
	s, precision, err := c.sampler(dev, m, weights)
	if err != nil {
		return err
	}
	defer s.Close()
	h := c.header(dev, meta, fmt.Sprintf("%s, step %d, %s", path, meta.Step, kind), len(classes), precision)
	if c.DryRun {
		h.Add("dry run", "nothing was allocated")
		return h.Print(out)
	}
	if err := h.Print(out); err != nil {
		return err
	}
	if c.Convergence != "" {
		title := fmt.Sprintf("%s, step %d, on %s", net.Preset, meta.Step, dev.Info().Name)
		return c.converge(ctx, s, c.options(classes[0], c.Guidance[0]), title, out)
	}
	return c.draw(ctx, s, classes, net.Size, f.Meta["config"], out)
}

// header is what is said before anything is drawn.
func (c Config) header(dev *engine.Device, meta run.Meta, from string, classes int, precision kernels.Precision) *report.Header {
	h, info, net := &report.Header{}, dev.Info(), meta.Config.Model
	h.Add("device", "%s (%s, %s)", info.Name, info.Type, info.Driver)
	h.Add("checkpoint", "%s", from)
	h.Add("model", "%s: %d px, %s parameters", net.Preset, net.Size, report.Count(int64(net.ParamCount())))
	if c.Convergence == "" {
		h.Add("sampling", "%d pictures, %d %v steps (%d evaluations of the network), seed %d", c.total(classes), c.Steps, c.solver(),
			c.solver().Evaluations(c.Steps), c.Seed)
	}
	if c.Classes != nil {
		h.Add("classes", "%d with guidance %s for tau from %g to %g",
			classes, strings.Trim(fmt.Sprint(c.Guidance), "[]"), c.Interval.Low, c.Interval.High)
	}
	h.Add("precision", "%v", precision)
	h.Add("memory", "%s on the device", report.Bytes(dev.Stats().Bytes))
	return h
}

// open opens the device, which chooses its kernels as drawing c.Batch pictures at once has it best.
func (c Config) open(ctx context.Context, net model.Config, out io.Writer) (*engine.Device, error) {
	r := tune.Request{Device: c.Device, Mode: c.Tune, Budget: c.Budget, DryRun: c.DryRun,
		Say: func(line string) { fmt.Fprintln(out, line) }}
	return tune.Open(ctx, r, func(plan *engine.Device) error {
		m, err := model.New(plan, net)
		if err != nil {
			return err
		}
		weights, err := m.Layout.NewFlat(plan, "weights")
		if err != nil {
			return err
		}
		_, _, err = c.sampler(plan, m, weights)
		return err
	})
}

// sampler records what draws c.Batch pictures at once with some weights.
func (c Config) sampler(dev *engine.Device, m *model.Model, weights *model.Flat) (*sampler.Sampler, kernels.Precision, error) {
	precision, err := kernels.ParsePrecision(c.Precision, dev.Info())
	if err != nil {
		return nil, precision, fmt.Errorf("sample: -precision %w", err)
	}
	s, err := sampler.New(dev, m, weights, c.Batch, precision)
	return s, precision, err
}
