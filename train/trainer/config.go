// SPDX-License-Identifier: MIT

package trainer

import (
	"flag"
	"fmt"
	"math"
	"strings"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/tune"
	"jitvk/model"
	"jitvk/model/cli"
	"jitvk/model/report"
)

// Config is everything that `go run ./train` can be told.
type Config struct {
	Model      model.Config `json:"model"`
	Data       string       `json:"data,omitempty"`      // folder or zip; "" is the built-in portraits
	Labels     string       `json:"labels,omitempty"`    // attributes of the pictures, with commas, or "folders"; "" trains without classes
	Batch      int          `json:"batch"`               // images at once
	Accumulate int          `json:"accumulate"`          // batches whose gradients are summed for one step: memory of one, training of all in one
	Steps      int          `json:"steps"`               // optimizer steps
	LR         float64      `json:"lr"`                  // learning rate after warm-up
	Warmup     int          `json:"warmup"`              // steps over which it rises from 0
	Decay      float64      `json:"decay"`               // share of the steps, at the end, over which it falls to 0 along a cosine
	EMA        float64      `json:"ema"`                 // decay of the averaged weights that samples are drawn with; 0: none
	EMA2       float64      `json:"ema2,omitempty"`      // decay of a second average, kept beside it in checkpoints
	EMAExact   bool         `json:"ema_exact,omitempty"` // these decays from the first step on, as the paper's code has it; else they begin lower
	Clip       float64      `json:"clip"`                // largest L2 norm of a gradient; 0: any
	// What the operands of products and attention are rounded to: "fp32", "fp16" or "bf16"; "auto" until the device is known.
	Precision string `json:"precision"`
	Seed      uint64 `json:"seed"`
	Flip      bool   `json:"flip"` // mirror half of the pictures

	CheckpointBlocks bool `json:"checkpoint_blocks,omitempty"` // less memory, one more forward pass a step; the same bits

	ClassNames []string `json:"class_names,omitempty"` // (Model.Classes) what the labels make of the data

	Device  string    `json:"-"` // index or part of a name
	Out     string    `json:"-"` // folder of the run; "" is the next runs/NNN-preset, or that of Resume
	Resume  string    `json:"-"` // checkpoint to go on from; "" starts anew
	DryRun  bool      `json:"-"`
	Profile int       `json:"-"` // steps to profile instead of training; 0: train
	Tune    tune.Mode `json:"-"` // what is measured to choose kernels; "" is Off

	kept choices // those of Resume
}

// AdamW's other constants (official JiT code and the post alike).
const (
	beta1 = 0.9
	beta2 = 0.95
	eps   = 1e-8
)

// recipe returns a preset's training: what model.Preset is to the model.
func recipe(preset string) Config {
	c := Config{Precision: "auto", Accumulate: 1, Warmup: 100, EMA: 0.999, Clip: 1, Flip: true}
	switch preset {
	case "quick":
		c.Batch, c.Steps, c.LR, c.Decay, c.EMA = 32, 2000, 2e-3, 0.5, 0.99
	case "tiny":
		c.Batch, c.Steps, c.LR, c.Decay, c.EMA = 16, 4000, 2e-3, 0.5, 0.995
	case "faces64":
		c.Batch, c.Steps, c.LR, c.Decay = 64, 20000, 5e-4, 0.5
	case "jit-quick":
		c.Batch, c.Steps, c.LR, c.Decay, c.EMA = 32, 3000, 2e-3, 0.5, 0.99
	case "jit-b16", "jit-b32", "jit-l16", "jit-h16": // 200 epochs of ImageNet's 1,281,167 pictures, 5 of them warm-up, as the official code has them
		c.Batch, c.Clip, c.EMA, c.EMA2, c.EMAExact = 128, 0, 0.9999, 0.9996, true
		c.official()
	case "blog256": // 100 epochs of 28,000 pictures, as the post ran it
		c.Batch, c.Steps, c.LR, c.Warmup, c.EMA, c.Flip = 32, 87500, 1e-4, 0, 0, false
	}
	return c
}

// official sets what follows from the number of pictures a step in the paper's training: as many epochs in fewer steps, and a
// learning rate in proportion.
func (c *Config) official() {
	n := max(c.images(), 1) // Validate refuses what is less
	c.Steps, c.Warmup, c.LR = max(200*1281167/n, 1), 5*1281167/n, 5e-5*float64(n)/256
}

// DefaultPreset is what trains in minutes on the device: quick on a CPU driver, faces64 on a GPU.
func DefaultPreset(info engine.Info) string {
	if info.CPU() {
		return "quick"
	}
	return "faces64"
}

// Parse reads the command line. It opens no device unless the preset must be chosen by it.
func Parse(args []string) (Config, error) {
	fs := flag.NewFlagSet("train", flag.ContinueOnError)
	var f Config
	m := &f.Model
	fs.StringVar(&m.Preset, "preset", "", "model and recipe: "+strings.Join(model.Presets(), ", ")+" (default quick on a CPU driver, faces64 on a GPU)")
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
	preset, err := model.Preset(name)
	if err != nil {
		return Config{}, err
	}
	c := recipe(name)
	c.Model, c.Seed, c.Device, c.Out, c.DryRun, c.Profile, c.Data, c.Labels = preset, f.Seed, f.Device, f.Out, f.DryRun, f.Profile, f.Data, f.Labels
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
	official := c.Model.Arch == "jit" && name != "jit-quick"
	if official {
		c.Model.NoiseScale = float64(c.Model.Size) / 256
	}
	override(set, "noise-scale", &c.Model.NoiseScale, m.NoiseScale)
	override(set, "batch", &c.Batch, f.Batch)
	override(set, "accumulate", &c.Accumulate, f.Accumulate)
	if official {
		c.official()
	}
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
	case c.stepBytes() > maxStepBytes:
		return fmt.Errorf("train: -batch %d -accumulate %d: the pictures of a step take %s of the host's memory, at most %s will do; lower one of them", c.Batch, c.Accumulate,
			report.Bytes(c.stepBytes()), report.Bytes(maxStepBytes))
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

// images is how many pictures an optimizer step sees.
func (c Config) images() int { return c.Batch * c.Accumulate }

// maxStepBytes bounds the pictures of a step, which the host holds all at once, packed.
const maxStepBytes = 4 << 30

func (c Config) stepBytes() int64 {
	return 3 * int64(c.images()) * int64(c.Model.Size) * int64(c.Model.Size)
}

// labels are the attributes that the user named.
func (c Config) labels() []string {
	if c.Labels == "" {
		return nil
	}
	names := strings.Split(c.Labels, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return names
}

// withClasses is c for data with these classes. Data without any leaves a preset's number of classes as it is: every picture
// then trains the class "none".
func (c Config) withClasses(names []string) Config {
	if names != nil {
		c.ClassNames, c.Model.Classes = names, len(names)
	}
	return c
}

// lr returns the learning rate of a step, counted from 0.
func (c Config) lr(step int) float64 {
	lr := c.LR
	if step < c.Warmup {
		lr *= float64(step+1) / float64(c.Warmup)
	}
	if start := float64(c.Steps) * (1 - c.Decay); float64(step) > start {
		lr *= 0.5 + 0.5*math.Cos(math.Pi*(float64(step)-start)/(float64(c.Steps)-start))
	}
	return lr
}

// ema returns an average's decay at a step, counted from 0: early on it forgets the untrained weights faster, unless
// EMAExact.
func (c Config) ema(decay float64, step int) float64 {
	if c.EMAExact {
		return decay
	}
	return math.Min(decay, float64(1+step)/float64(10+step))
}
