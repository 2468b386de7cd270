// SPDX-License-Identifier: MIT

package run

import (
	"fmt"
	"math"
	"strings"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/tune"
	"jitvk/model"
)

// Config is everything that `go run ./train` can be told. A field with the tag help is an option (cli.Option), and that tag is all
// there is to write for one: the command line, -help, the file of -config, config.json and the checkpoint's metadata follow.
// The tag resume says that -resume takes the option: "free", it changes no bit of what a step computes, so that config.json holds
// it and the checkpoint does not; or "longer".
type Config struct {
	File   string `json:"-" name:"config" resume:"free" help:"TOML file with options, such as batch = 16; the command line goes before it"`
	Resume string `json:"-" name:"resume" resume:"free" help:"run to go on with: its folder or checkpoint; with -steps to another length"`

	Model model.Config `json:"model"`

	Data   string `json:"data,omitempty" resume:"free" help:"folder or .zip of JPEG, PNG or WebP pictures (default the built-in portraits)"`
	Labels string `json:"labels,omitempty" help:"classes: attributes such as Smiling,Male (CelebA's, or the portraits'), or folders"`
	Recipe
	Precision string `json:"precision" of:"fp32,fp16,bf16,auto" help:"of products; auto is fp16 where a GPU has matrix units, else fp32"`
	Seed      uint64 `json:"seed" help:"of everything random"`

	CheckpointBlocks bool `json:"checkpoint_blocks,omitempty" resume:"free" help:"compute blocks twice: less memory, a third more work"`

	ClassNames []string `json:"class_names,omitempty"` // (Model.Classes) what the labels make of the data

	Device  string      `json:"-" name:"device" resume:"free" help:"index of the Vulkan device or part of its name"`
	Out     string      `json:"-" name:"out" resume:"free" help:"folder for the run's files (default the next runs/NNN-preset)"`
	DryRun  bool        `json:"-" name:"dry-run" resume:"free" help:"print parameters, operations and planned memory, then stop"`
	Tune    tune.Mode   `json:"-" name:"tune" of:"auto,off,again" help:"measure which kernels are fastest: once a device, never, anew"`
	Budget  tune.Budget `json:"-" name:"tune-budget" help:"seconds that measuring may take (default 20)"`
	Profile int         `json:"-" name:"profile" help:"train nothing: time the kernels of so many steps, print a table and write a trace"`

	Kept tune.Kept `json:"-"` // the kernels of Resume
}

// A Recipe is how a model is trained.
type Recipe struct {
	Batch      int     `json:"batch" help:"pictures at once"`
	Accumulate int     `json:"accumulate" help:"batches that make a step: -batch 32 -accumulate 4 trains as -batch 128, in less memory"`
	Steps      int     `json:"steps" resume:"longer" help:"optimizer steps"`
	LR         float64 `json:"lr" help:"learning rate after warm-up"`
	Warmup     int     `json:"warmup" help:"steps over which the learning rate rises from 0"`
	Cooldown   float64 `json:"decay"` // share of the steps, at the end, over which the learning rate falls to 0 along a cosine
	EMA        float64 `json:"ema" help:"decay of the averaged weights, which samples are drawn with; 0 turns them off"`
	EMA2       float64 `json:"ema2,omitempty" help:"decay of a second average, kept beside it in checkpoints; 0 turns it off"`
	// these decays from the first step on, as the paper's code has it; else they begin lower
	EMAExact bool    `json:"ema_exact,omitempty"`
	Clip     float64 `json:"clip"` // largest L2 norm of a gradient; 0: any
	Flip     bool    `json:"flip" help:"mirror half of the pictures"`
}

// Validate says what is impossible and what would do.
func (c Config) Validate() error {
	if err := c.Model.Validate(); err != nil {
		return err
	}
	if _, err := kernels.ParsePrecision(c.Precision, engine.Info{}); err != nil {
		return fmt.Errorf("train: -precision %w", err)
	}
	switch {
	case c.Labels != "" && c.Model.Arch == "post":
		return fmt.Errorf("train: -labels %s: preset %s knows no classes; use one of the paper's, whose names begin with jit", c.Labels,
			c.Model.Preset)
	case c.Batch < 1 || c.Batch > 65535:
		return fmt.Errorf("train: -batch %d: between 1 and 65535 pictures at once", c.Batch)
	case c.Profile > 0 && (c.Accumulate > 1 || c.Resume != ""):
		return fmt.Errorf("train: -profile times the step of one batch from the beginning: leave out -accumulate and -resume")
	case c.Accumulate < 1 || c.Accumulate > 65535:
		return fmt.Errorf("train: -accumulate %d: between 1 and 65535 batches a step", c.Accumulate)
	case c.Steps < 1 || c.Steps > math.MaxInt32:
		return fmt.Errorf("train: -steps %d: it must be at least 1", c.Steps)
	case !(c.LR > 0) || c.LR > 1:
		return fmt.Errorf("train: -lr %g: above 0 and at most 1; these models take 1e-4 to 2e-3", c.LR)
	case c.Profile < 0:
		return fmt.Errorf("train: -profile %d: at least 1 step", c.Profile)
	case c.Profile > 0 && c.DryRun:
		return fmt.Errorf("train: -profile %d and -dry-run: a dry run has no steps to time; leave one of them out", c.Profile)
	case !(c.Cooldown >= 0 && c.Cooldown <= 1): // no option; a row or a checkpoint has it
		return fmt.Errorf("train: decay %g: the share of the steps over which the learning rate falls is 0 to 1", c.Cooldown)
	case !(c.Clip >= 0): // nor this
		return fmt.Errorf("train: clip %g: at least 0, which clips nothing", c.Clip)
	case c.Warmup < 0:
		return fmt.Errorf("train: -warmup %d: it must not be negative", c.Warmup)
	case !(c.EMA2 >= 0 && c.EMA2 < 1):
		return fmt.Errorf("train: -ema2 %g: at least 0 (off) and below 1, such as 0.9996", c.EMA2)
	case !(c.EMA >= 0 && c.EMA < 1):
		return fmt.Errorf("train: -ema %g: at least 0 (off) and below 1, such as 0.999", c.EMA)
	}
	return nil
}

// Images is how many pictures an optimizer step sees.
func (r Recipe) Images() int { return r.Batch * r.Accumulate }

// Attributes are the attributes that the user named.
func (c Config) Attributes() []string {
	if c.Labels == "" {
		return nil
	}
	names := strings.Split(c.Labels, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return names
}

// WithClasses is c for data with these classes. Data without any leaves a preset's number of classes as it is: every picture
// then trains the class "none".
func (c Config) WithClasses(names []string) Config {
	if names != nil {
		c.ClassNames, c.Model.Classes = names, len(names)
	}
	return c
}

// LearningRate returns the learning rate of a step, counted from 0.
func (r Recipe) LearningRate(step int) float64 {
	lr := r.LR
	if step < r.Warmup {
		lr *= float64(step+1) / float64(r.Warmup)
	}
	if start := float64(r.Steps) * (1 - r.Cooldown); float64(step) > start {
		lr *= 0.5 + 0.5*math.Cos(math.Pi*(float64(step)-start)/(float64(r.Steps)-start))
	}
	return lr
}

// EMAAt returns an average's decay at a step, counted from 0: early on it forgets the untrained weights faster, unless
// EMAExact.
func (r Recipe) EMAAt(decay float64, step int) float64 {
	if r.EMAExact {
		return decay
	}
	return math.Min(decay, float64(1+step)/float64(10+step))
}
