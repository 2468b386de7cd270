// SPDX-License-Identifier: MIT

package run

import (
	"flag"
	"math"
	"strings"

	"jitvk/engine"
	"jitvk/kernels/tune"
	"jitvk/model"
	"jitvk/model/cli"
)

// Parse reads the command line. It opens no device unless the preset must be chosen by it.
func Parse(args []string) (Config, error) {
	fs := flag.NewFlagSet("train", flag.ContinueOnError)
	var f Config
	m := &f.Model
	fs.StringVar(&m.Preset, "preset", "", "model and recipe: "+strings.Join(Presets(), ", ")+" (default quick on a CPU driver, faces64 on a GPU)")
	fs.StringVar(&f.Data, "data", "", "folder or .zip of JPEG, PNG or WebP pictures (default the built-in portraits)")
	fs.StringVar(&f.Labels, "labels", "", "classes to train with: attributes such as Smiling,Male (CelebA's list_attr_celeba.txt, or the built-in portraits'), or folders")
	fs.IntVar(&m.Size, "size", 0, "side of the pictures, pixels")
	fs.IntVar(&m.Patch, "patch", 0, "side of a patch, pixels")
	fs.IntVar(&m.Stride, "stride", 0, "pixels from patch to patch; less than -patch makes them overlap")
	fs.IntVar(&m.Dim, "dim", 0, "width of the transformer")
	fs.IntVar(&m.Depth, "depth", 0, "blocks of the transformer")
	fs.IntVar(&m.Heads, "heads", 0, "attention heads")
	fs.StringVar(&m.Norm, "norm", "", "rms or derf")
	fs.Float64Var(&m.Mu, "mu", 0, "mean of logit(tau) in training")
	fs.StringVar(&m.Predict, "predict", "", "what the network predicts: x (the image), eps (the noise) or v (the velocity)")
	fs.StringVar(&m.Loss, "loss", "", "in which of them the error is taken: x, eps or v")
	fs.Float64Var(&m.NoiseScale, "noise-scale", 0, "standard deviation of the noise")
	fs.BoolVar(&m.Shift, "shift", false, "shift that mean by -ln(size/256)")
	fs.IntVar(&f.Batch, "batch", 0, "pictures a step, or with -accumulate a part of it")
	fs.IntVar(&f.Accumulate, "accumulate", 1, "batches whose gradients make one step: -batch 32 -accumulate 4 trains as -batch 128 does, in less memory")
	fs.BoolVar(&f.CheckpointBlocks, "checkpoint-blocks", false, "keep only the input of each block for the backward pass and compute the rest again: less memory, a third more work, the same bits")
	fs.IntVar(&f.Steps, "steps", 0, "optimizer steps")
	fs.Float64Var(&f.LR, "lr", 0, "learning rate")
	fs.IntVar(&f.Warmup, "warmup", 0, "steps over which the learning rate rises")
	fs.Float64Var(&f.EMA, "ema", 0, "decay of the averaged weights; 0 turns them off")
	fs.Float64Var(&f.EMA2, "ema2", 0, "decay of a second average; 0 turns it off")
	fs.StringVar(&f.Precision, "precision", "auto", "of the operands of matrix products: fp32, fp16, bf16, or auto: fp16 where a GPU has matrix units, else fp32")
	fs.Uint64Var(&f.Seed, "seed", 1, "of everything random")
	fs.BoolVar(&f.Flip, "flip", false, "mirror half of the pictures; -flip=false does not")
	fs.StringVar(&f.Device, "device", "", "index of the Vulkan device or part of its name")
	fs.StringVar(&f.Out, "out", "", "folder for the run's files (default the next runs/NNN-preset)")
	fs.StringVar(&f.Resume, "resume", "", "run to go on with: its folder or checkpoint; with -steps to another length")
	fs.BoolVar(&f.DryRun, "dry-run", false, "print parameters, operations and planned memory, then stop")
	f.Tune = tune.Auto
	fs.Var(&f.Tune, "tune", tune.Usage)
	fs.IntVar(&f.Profile, "profile", 0, "time every kernel of so many `steps`, print a table and write a trace; nothing is trained")
	if err := cli.Parse(fs, args); err != nil {
		return Config{}, err
	}
	set := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if set["resume"] {
		return resumed(f, set)
	}
	name := m.Preset
	if name == "" {
		d, err := engine.Open(engine.Options{Select: f.Device, DryRun: true}) // only looks
		if err != nil {
			return Config{}, err
		}
		name = DefaultPreset(d.Info())
		d.Close()
	}
	row, err := find(name)
	if err != nil {
		return Config{}, err
	}
	c, preset := row.config(), row.model
	c.Seed, c.Device, c.Out, c.DryRun, c.Profile, c.Data, c.Labels = f.Seed, f.Device, f.Out, f.DryRun, f.Profile, f.Data, f.Labels
	c.CheckpointBlocks, c.Tune = f.CheckpointBlocks, f.Tune
	override(set, "size", &c.Model.Size, m.Size)
	override(set, "patch", &c.Model.Patch, m.Patch)
	if set["size"] || set["patch"] {
		c.Model.Stride = stride(c.Model, float64(preset.Stride)/float64(preset.Patch))
	}
	override(set, "stride", &c.Model.Stride, m.Stride)
	if set["dim"] { // the hidden width keeps the preset's ratio, in multiples of 8
		c.Model.Hidden = int(math.Ceil(float64(preset.Hidden)*float64(m.Dim)/float64(preset.Dim)/8)) * 8
	}
	override(set, "dim", &c.Model.Dim, m.Dim)
	override(set, "depth", &c.Model.Depth, m.Depth)
	override(set, "heads", &c.Model.Heads, m.Heads)
	override(set, "norm", &c.Model.Norm, m.Norm)
	override(set, "mu", &c.Model.Mu, m.Mu)
	override(set, "shift", &c.Model.Shift, m.Shift)
	override(set, "predict", &c.Model.Predict, m.Predict)
	override(set, "loss", &c.Model.Loss, m.Loss)
	override(set, "batch", &c.Batch, f.Batch)
	override(set, "accumulate", &c.Accumulate, f.Accumulate)
	if row.follow != nil {
		row.follow(&c)
	}
	override(set, "noise-scale", &c.Model.NoiseScale, m.NoiseScale)
	override(set, "steps", &c.Steps, f.Steps)
	override(set, "lr", &c.LR, f.LR)
	override(set, "warmup", &c.Warmup, f.Warmup)
	override(set, "ema", &c.EMA, f.EMA)
	override(set, "ema2", &c.EMA2, f.EMA2)
	override(set, "precision", &c.Precision, f.Precision)
	override(set, "flip", &c.Flip, f.Flip)
	return c, c.Validate()
}

// stride returns the stride that tiles the image with overlaps of at most half a patch and comes nearest to a share of the
// patch: the preset's, where -size or -patch change what tiles. Without such a stride it is that share, for Validate to refuse.
func stride(m model.Config, share float64) int {
	want := share * float64(m.Patch)
	best := max(int(want), 1)
	if m.Patch > m.Size || m.Size > 4096 {
		return best
	}
	off := math.Inf(1)
	for s := m.Patch; 2*s >= m.Patch && s > 0; s-- {
		if d := math.Abs(float64(s) - want); (m.Size-m.Patch)%s == 0 && d < off {
			best, off = s, d
		}
	}
	return best
}

func override[T any](set map[string]bool, name string, to *T, value T) {
	if set[name] {
		*to = value
	}
}
