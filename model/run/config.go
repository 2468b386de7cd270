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

// Config is everything that `go run ./train` can be told.
type Config struct {
	Model  model.Config `json:"model"`
	Data   string       `json:"data,omitempty"`   // folder or zip; "" is the built-in portraits
	Labels string       `json:"labels,omitempty"` // attributes of the pictures, with commas, or "folders"; "" trains without classes
	Recipe
	// What the operands of products and attention are rounded to: "fp32", "fp16" or "bf16"; "auto" until the device is known.
	Precision string `json:"precision"`
	Seed      uint64 `json:"seed"`

	CheckpointBlocks bool `json:"checkpoint_blocks,omitempty"` // less memory, one more forward pass a step; the same bits

	ClassNames []string `json:"class_names,omitempty"` // (Model.Classes) what the labels make of the data

	Device  string    `json:"-"` // index or part of a name
	Out     string    `json:"-"` // folder of the run; "" is the next runs/NNN-preset, or that of Resume
	Resume  string    `json:"-"` // checkpoint to go on from; "" starts anew
	DryRun  bool      `json:"-"`
	Profile int       `json:"-"` // steps to profile instead of training; 0: train
	Tune    tune.Mode `json:"-"` // what is measured to choose kernels; "" is Off

	Kept tune.Kept `json:"-"` // the kernels of Resume
}

// A Recipe is how a model is trained.
type Recipe struct {
	Batch      int     `json:"batch"`               // images at once
	Accumulate int     `json:"accumulate"`          // batches whose gradients are summed for one step: memory of one, training of all in one
	Steps      int     `json:"steps"`               // optimizer steps
	LR         float64 `json:"lr"`                  // learning rate after warm-up
	Warmup     int     `json:"warmup"`              // steps over which it rises from 0
	Cooldown   float64 `json:"decay"`               // share of the steps, at the end, over which it falls to 0 along a cosine
	EMA        float64 `json:"ema"`                 // decay of the averaged weights that samples are drawn with; 0: none
	EMA2       float64 `json:"ema2,omitempty"`      // decay of a second average, kept beside it in checkpoints
	EMAExact   bool    `json:"ema_exact,omitempty"` // these decays from the first step on, as the paper's code has it; else they begin lower
	Clip       float64 `json:"clip"`                // largest L2 norm of a gradient; 0: any
	Flip       bool    `json:"flip"`                // mirror half of the pictures
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
		return fmt.Errorf("train: -labels %s: preset %s knows no classes; use one of the paper's, whose names begin with jit", c.Labels, c.Model.Preset)
	case c.Batch < 1 || c.Batch > 65535:
		return fmt.Errorf("train: -batch %d: between 1 and 65535 pictures a step", c.Batch)
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
