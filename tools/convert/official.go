// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"jitvk/kernels"
	"jitvk/model"
	"jitvk/model/checkpoint"
	"jitvk/model/run"
)

// The official state dict has our names with "net." before them and the same values, in the same order but for
//
//	x_embedder.proj1.weight         (d',3,P,P) there, (d',3PP) here: one convolution is one product, the bytes are the same
//	x_embedder.proj2.weight         (C,d',1,1) there, (C,d') here
//	in_context_posemb               (1,K,C) there, (K,C) here
//	final_layer.linear.weight, bias rows by (pixel row, pixel column, channel) there, by (channel, row, column) here
//	pos_embed                       (1,T,C), fixed sines and cosines: ours are computed; what a file had is kept for its way back
const (
	prefix    = "net."
	positions = "pos_embed"
	kept      = "official/" + positions
)

// official returns the shape that a parameter has in the official state dict.
func official(c model.Config, p model.Param) []int {
	switch p.Name {
	case "x_embedder.proj1.weight":
		return []int{c.Bottleneck, 3, c.Patch, c.Patch}
	case "x_embedder.proj2.weight":
		return []int{c.Dim, c.Bottleneck, 1, 1}
	case "in_context_posemb":
		return []int{1, c.Context, c.Dim}
	}
	return p.Shape
}

// pixelRows reorders the rows of the last layer: row (channel, pixel) of ours is row (pixel, channel) of theirs.
func pixelRows(c model.Config, p model.Param, values []float32, toOurs bool) []float32 {
	if p.Name != "final_layer.linear.weight" && p.Name != "final_layer.linear.bias" {
		return values
	}
	width, pixels := p.Len()/c.PatchDim(), c.Patch*c.Patch
	out := make([]float32, len(values))
	for channel := range 3 {
		for pixel := range pixels {
			ours, theirs := channel*pixels+pixel, pixel*3+channel
			to, from := theirs, ours
			if toOurs {
				to, from = ours, theirs
			}
			copy(out[to*width:(to+1)*width], values[from*width:])
		}
	}
	return out
}

// configOf finds out from the shapes of a state dict which model it is.
func configOf(f *checkpoint.File, contextStart int) (model.Config, error) {
	shapes := map[string][]int{}
	for _, name := range f.Names() {
		shape, err := f.Shape(name)
		if err != nil {
			return model.Config{}, err
		}
		shapes[strings.TrimPrefix(name, prefix)] = shape
	}
	need := func(name string, dims int) ([]int, error) {
		if s := shapes[name]; len(s) == dims && !slices.ContainsFunc(s, func(d int) bool { return d < 1 }) {
			return s, nil
		}
		return nil, fmt.Errorf("convert: no tensor %s%s of %d dimensions: is this a state dict of the official JiT code, exported to "+
			"safetensors?", prefix, name, dims)
	}
	proj1, err1 := need("x_embedder.proj1.weight", 4)
	proj2, err2 := need("x_embedder.proj2.weight", 4)
	table, err3 := need("y_embedder.embedding_table.weight", 2)
	head, err4 := need("blocks.0.attn.q_norm.weight", 1)
	w3, err5 := need("blocks.0.mlp.w3.weight", 2)
	pos, err6 := need(positions, 3)
	for _, err := range []error{err1, err2, err3, err4, err5, err6} {
		if err != nil {
			return model.Config{}, err
		}
	}
	base, err := run.Preset("jit-b16")
	if err != nil {
		return model.Config{}, err
	}
	c := base.Model
	side := int(math.Round(math.Sqrt(float64(pos[1]))))
	c.Patch, c.Stride, c.Size = proj1[2], proj1[2], side*proj1[2]
	c.Dim, c.Bottleneck, c.Classes, c.Heads, c.Hidden = proj2[0], proj1[0], table[0]-1, proj2[0]/head[0], w3[1]
	c.NoiseScale = float64(c.Size) / 256
	c.Depth, c.Context = 0, 0
	for shapes[fmt.Sprintf("blocks.%d.norm1.weight", c.Depth)] != nil {
		c.Depth++
	}
	if s := shapes["in_context_posemb"]; len(s) == 3 {
		c.Context, c.ContextStart = s[1], contextStart
	}
	c.Preset = "jit"
	for _, name := range run.Presets() { // what the shapes do not say
		preset, err := run.Preset(name)
		if p := preset.Model; err == nil && p.Arch == "jit" && p.Dim == c.Dim && p.Depth == c.Depth {
			c.Dropout = p.Dropout
			if contextStart == 0 {
				c.ContextStart = p.ContextStart
			}
			if p.Patch == c.Patch && p.Size == c.Size {
				c.Preset = name
			}
		}
	}
	if c.Context > 0 && c.ContextStart == 0 {
		return c, fmt.Errorf("convert: width %d and depth %d are no preset's: say with -context-start which block sees the in-context "+
			"tokens first", c.Dim, c.Depth)
	}
	return c, c.Validate()
}

// importOfficial writes a checkpoint with the weights of an official state dict.
func importOfficial(from, to string, contextStart int) (c model.Config, err error) {
	f, err := checkpoint.Open(from)
	if err != nil {
		return c, err
	}
	defer f.Close()
	if c, err = configOf(f, contextStart); err != nil {
		return c, err
	}
	bare := slices.Contains(f.Names(), positions) // some exports leave the "net." out
	name := func(base string) string {
		if bare {
			return base
		}
		return prefix + base
	}
	known := map[string]bool{name(positions): true}
	var tensors []checkpoint.Tensor
	for _, p := range c.Params() {
		known[name(p.Name)] = true
		values, err := f.Float32(name(p.Name), official(c, p)...)
		if err != nil {
			return c, fmt.Errorf("convert: %w", err)
		}
		tensors = append(tensors, checkpoint.F32(p.Name, pixelRows(c, p, values, true), p.Shape...))
	}
	for _, n := range f.Names() {
		if !known[n] {
			return c, fmt.Errorf("convert: %s holds %q, which the official network of this size has not", from, n)
		}
	}
	pos, err := f.Float32(name(positions), 1, c.Tokens(), c.Dim)
	if err != nil {
		return c, fmt.Errorf("convert: %w", err)
	}
	for i, want := range kernels.SinCosPositions(c.Grid(), c.Dim) {
		if d := math.Abs(float64(pos[i] - want)); !(d < 1e-5) {
			return c, fmt.Errorf("convert: %s: its positions are not the fixed sines and cosines that ours are: value %d is %g, not %g",
				from, i, pos[i], want)
		}
	}
	tensors = append(tensors, checkpoint.F32(kept, pos, 1, c.Tokens(), c.Dim))
	preset := c.Preset
	if preset == "jit" {
		preset = "jit-b16" // for the recipe alone
	}
	config, err := run.Preset(preset)
	if err != nil {
		return c, err
	}
	config.Model = c
	meta, err := run.Meta{Config: config}.Encode()
	if err != nil {
		return c, err
	}
	return c, checkpoint.Save(to, meta, tensors)
}

// exportOfficial writes a checkpoint's weights as the official state dict.
func exportOfficial(from, to, weights string) (kind string, err error) {
	f, err := checkpoint.Open(from)
	if err != nil {
		return "", err
	}
	defer f.Close()
	meta, err := run.Load(f)
	if err != nil {
		return "", fmt.Errorf("convert: %s: %w", from, err)
	}
	c := meta.Config.Model
	if c.Arch != "jit" || c.Stride != c.Patch {
		return "", fmt.Errorf("convert: %s holds the model %s, which the official code does not have: only the paper's network without "+
			"overlap can be exported", from, c.Preset)
	}
	if kind = weights; kind == "" {
		kind = "raw"
		if slices.Contains(f.Names(), "ema/"+c.Params()[0].Name) {
			kind = "ema"
		}
	}
	part, ok := map[string]string{"raw": "", "ema": "ema/", "ema2": "ema2/"}[kind]
	if !ok {
		return "", fmt.Errorf("convert: -weights %s: it is raw, ema or ema2", weights)
	}
	var tensors []checkpoint.Tensor
	for _, p := range c.Params() {
		values, err := f.Float32(part+p.Name, p.Shape...)
		if err != nil {
			return "", fmt.Errorf("convert: %w", err)
		}
		tensors = append(tensors, checkpoint.F32(prefix+p.Name, pixelRows(c, p, values, false), official(c, p)...))
	}
	pos := kernels.SinCosPositions(c.Grid(), c.Dim)
	if slices.Contains(f.Names(), kept) {
		if pos, err = f.Float32(kept, 1, c.Tokens(), c.Dim); err != nil {
			return "", fmt.Errorf("convert: %w", err)
		}
	}
	tensors = append(tensors, checkpoint.F32(prefix+positions, pos, 1, c.Tokens(), c.Dim))
	return kind, checkpoint.Save(to, nil, tensors)
}
