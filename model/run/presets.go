// SPDX-License-Identifier: MIT

package run

import (
	"fmt"
	"strings"

	"jitvk/engine"
	"jitvk/model"
	"jitvk/model/cli"
	"jitvk/model/report"
)

// A preset is a model and the recipe that trains it. Its row below is all there is to it.
type preset struct {
	name   string
	use    string // what it is for, as README's table has it
	model  model.Config
	recipe Recipe
	// What follows from other options, where the user does not name it himself; nil: nothing does.
	follow func(c *Config)
}

// The post's network comes first, the smallest before the others, then the paper's.
var presets = []preset{
	{"quick", "the default on a CPU driver: faces in minutes",
		post(32, 8, 6, 128, 4, 2, 344), // few tokens, and patches that overlap by two pixels so that no seams show
		Recipe{Batch: 32, Steps: 2000, LR: 2e-3, Warmup: 100, Cooldown: 0.5, EMA: 0.99, Clip: 1, Flip: true}, nil},
	{"tiny", "timing beside the same model in PyTorch",
		post(32, 4, 4, 128, 4, 4, 344),
		Recipe{Batch: 16, Steps: 4000, LR: 2e-3, Warmup: 100, Cooldown: 0.5, EMA: 0.995, Clip: 1, Flip: true}, nil},
	{"faces64", "the default on a GPU",
		post(64, 8, 8, 384, 8, 6, 1024),
		Recipe{Batch: 64, Steps: 20000, LR: 5e-4, Warmup: 100, Cooldown: 0.5, EMA: 0.999, Clip: 1, Flip: true}, nil},
	{"blog256", "the model of the blog post this project follows, to the parameter",
		post(256, 16, 12, 768, 12, 12, 3072, func(m *model.Config) {
			m.Norm, m.Window, m.ValueFirst, m.ZeroOutput, m.Shift = "derf", "hann", true, false, true
		}),
		Recipe{Batch: 32, Steps: 87500, LR: 1e-4, Clip: 1}, nil}, // 100 epochs of 28,000 pictures
	{"jit-quick", "the paper's network at `quick`'s size; 128 parameters more a class",
		paper(32, 128, 4, 2, 64, 1, func(m *model.Config) {
			m.Patch, m.Stride, m.Hidden, m.Classes, m.Context, m.NoiseScale = 8, 6, 344, 0, 4, 1
		}),
		Recipe{Batch: 32, Steps: 3000, LR: 2e-3, Warmup: 100, Cooldown: 0.5, EMA: 0.99, Clip: 1, Flip: true}, nil},
	{"jit-b16", "the paper's base model, with ImageNet's 1,000 classes", paper(256, 768, 12, 12, 128, 4), imageNet, asPublished},
	{"jit-b32", "the same for pictures of 512 pixels", paper(512, 768, 12, 12, 128, 4), imageNet, asPublished},
	{"jit-l16", "the paper's large model", paper(256, 1024, 24, 16, 128, 8), imageNet, asPublished},
	{"jit-h16", "the paper's huge model, with dropout",
		paper(256, 1280, 32, 16, 256, 10, func(m *model.Config) { m.Dropout = 0.2 }), imageNet, asPublished},
}

// post is a model of the blog post's network; changes come last.
func post(size, patch, stride, dim, depth, heads, hidden int, changes ...func(*model.Config)) model.Config {
	c := model.Defaults()
	c.Size, c.Patch, c.Stride, c.Dim, c.Depth, c.Heads, c.Hidden = size, patch, stride, dim, depth, heads, hidden
	for _, change := range changes {
		change(&c)
	}
	return c
}

// paper is a model of the paper's network (arXiv 2511.13720, table 9, and the official code): 16 x 16 tokens of size/16 pixels,
// and noise as many times stronger as the image is larger than 256 pixels.
func paper(size, dim, depth, heads, bottleneck, contextStart int, changes ...func(*model.Config)) model.Config {
	return post(size, size/16, size/16, dim, depth, heads, 4*dim*2/3, append([]func(*model.Config){func(c *model.Config) {
		c.Arch, c.NoiseScale = "jit", float64(size)/256
		c.TimeDim, c.TimeHidden, c.TimeScale, c.RoPEBase = 256, dim, 1, 10000
		c.Classes, c.LabelDrop, c.Bottleneck, c.Context, c.ContextStart = 1000, 0.1, bottleneck, 32, contextStart
	}}, changes...)...)
}

// imageNet is the paper's training but for what asPublished adds.
var imageNet = Recipe{Batch: 128, EMA: 0.9999, EMA2: 0.9996, EMAExact: true, Flip: true}

// asPublished sets what follows in the paper's training from the size of the pictures and their number a step: 200 epochs of
// ImageNet's 1,281,167 pictures, 5 of them warm-up, and a learning rate in proportion, as the official code has them.
func asPublished(c *Config) {
	n := max(c.Images(), 1) // Validate refuses what is less
	c.Steps, c.Warmup, c.LR = max(200*1281167/n, 1), 5*1281167/n, 5e-5*float64(n)/256
	c.Model.NoiseScale = float64(c.Model.Size) / 256
}

// Presets lists the names that Preset knows: the post's network, smallest first, then the paper's.
func Presets() []string {
	var names []string
	for _, p := range presets {
		names = append(names, p.name)
	}
	return names
}

// Preset returns a named configuration.
func Preset(name string) (Config, error) {
	p, err := find(name)
	return p.config(), err
}

func find(name string) (preset, error) {
	for _, p := range presets {
		if p.name == name {
			return p, nil
		}
	}
	if like, ok := cli.Nearest(name, Presets()); ok {
		return preset{}, fmt.Errorf("train: no preset %q; did you mean %s? There is %s", name, like, strings.Join(Presets(), ", "))
	}
	return preset{}, fmt.Errorf("train: no preset %q; there is %s", name, strings.Join(Presets(), ", "))
}

func (p preset) config() Config {
	c := Config{Model: p.model, Recipe: p.recipe, Precision: "auto", Seed: 1}
	c.Model.Preset, c.Accumulate = p.name, 1
	if p.follow != nil {
		p.follow(&c)
	}
	return c
}

// DefaultPreset is what trains in minutes on the device: quick on a CPU driver, faces64 on a GPU.
func DefaultPreset(info engine.Info) string {
	if info.CPU() {
		return "quick"
	}
	return "faces64"
}

// Table is the presets as README lists them.
func Table() string {
	var b strings.Builder
	b.WriteString("| preset | pictures | patch, stride | width x depth | parameters | for |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, p := range presets {
		m := p.model
		fmt.Fprintf(&b, "| `%s` | %d px | %d, %d | %d x %d | %s | %s |\n", p.name, m.Size, m.Patch, m.Stride, m.Dim, m.Depth,
			report.Count(int64(m.ParamCount())), p.use)
	}
	return b.String()
}
