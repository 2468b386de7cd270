// SPDX-License-Identifier: MIT

// Package model is the Just-image-Transformer (JiT, Li and He, "Back to Basics: Let Denoising Generative Models Denoise",
// arXiv 2511.13720): pixels in, pixels out, no tokenizer.
//
// It knows two networks, the blog post's that this project follows (post.go) and the paper's (jit.go), their configurations
// (config.go) and the flow they are trained on (flow.go).
// It speaks to the tape only: no shader is named here.
//
// Dimensions: B batch, T tokens, C width, H heads, D head size, F hidden width, P patch; images (B,3,ImgH,ImgW) in
// [-1,1]; tau is the flow's time, 0 noise and 1 image.
package model

import (
	"math"

	"jitvk/autograd"
	"jitvk/engine"
	"jitvk/kernels"
)

// Model is a configuration on a device: the layout of its parameters and the constant tables that its layers read. The
// parameters themselves are the caller's, so that weights and their EMA can take turns.
type Model struct {
	Config
	Layout *Layout
	// CheckpointBlocks makes training keep only what a block takes and compute the rest again for its backward pass.
	CheckpointBlocks bool

	tables []*engine.Buffer

	rope rotation // of the patches' tokens
	fold kernels.FoldOptions

	positions   kernels.Tensor // jit: (T,C)
	contextRope rotation       // jit: of in-context tokens, whose angle is 0, and then the patches'
}

// rotation is RoPE's tables for a row of tokens, each (T,D/2).
type rotation struct{ cos, sin kernels.Tensor }

// New uploads the tables of a valid configuration.
func New(d *engine.Device, c Config) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m := &Model{Config: c, Layout: c.Layout()}
	var err error
	table := func(label string, data []float32, shape ...int) kernels.Tensor {
		if err != nil {
			return kernels.Tensor{}
		}
		var b *engine.Buffer
		if b, err = d.NewBuffer(label, 4*int64(len(data))); err != nil {
			return kernels.Tensor{}
		}
		m.tables = append(m.tables, b)
		if !d.DryRun() {
			err = d.Upload(b.All(), kernels.Bytes(data))
		}
		return kernels.View(b.All(), shape...)
	}
	angles := func(cos, sin []float32) rotation {
		half := c.HeadSize() / 2
		return rotation{table("rope cos", cos, len(cos)/half, half), table("rope sin", sin, len(sin)/half, half)}
	}
	if c.Arch == "jit" {
		m.rope = angles(kernels.RoPETablePaper(c.Grid(), c.Grid(), c.HeadSize(), c.RoPEBase, 0))
		m.contextRope = angles(kernels.RoPETablePaper(c.Grid(), c.Grid(), c.HeadSize(), c.RoPEBase, c.Context))
		m.positions = table("positions", kernels.SinCosPositions(c.Grid(), c.Dim), c.Tokens(), c.Dim)
	} else {
		m.rope = angles(kernels.RoPETablePost(c.Grid(), c.Stride, c.Patch, c.Size, c.HeadSize(), c.RoPEBase))
	}
	m.fold = kernels.FoldOptions{Patch: c.Patch, Stride: c.Stride}
	if c.Stride < c.Patch { // where patches overlap, their mean weighted by a window that fades towards the edges
		w := kernels.Hann(c.Patch) // zero at both ends: the post's images have a border of one grey pixel
		if c.Window == "sine" {
			for i := range w {
				w[i] = float32(math.Sin(math.Pi * (float64(i) + 0.5) / float64(c.Patch)))
			}
		}
		window := table("window", w, c.Patch)
		norm := table("inverse norm", kernels.FoldNorm(w, c.Size, c.Size, c.Stride), c.Size, c.Size)
		m.fold.Window, m.fold.InvNorm = &window, &norm
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Close frees the tables.
func (m *Model) Close() {
	for _, b := range m.tables {
		b.Close()
	}
}

// Weights are the parameters as the tape sees them, by name.
type Weights map[string]*autograd.Var

// Bind brings the parameters onto the tape, with gradients into grads, which may be nil where none are wanted.
func (m *Model) Bind(t *autograd.Tape, params, grads *Flat) Weights {
	w := Weights{}
	for _, p := range m.Layout.Params {
		if grads == nil {
			w[p.Name] = t.Const(params.View(p))
		} else {
			w[p.Name] = t.Param(p.Name, params.View(p), grads.View(p))
		}
	}
	return w
}

// Forward predicts what Config.Predict says, the clean image for one, from the noisy image z (B,3,ImgH,ImgW) at flow times
// tau (B). labels (B) are class numbers as 32-bit integers, Classes standing for "none"; nil is "none" for all.
func (m *Model) Forward(t *autograd.Tape, w Weights, z, tau *autograd.Var, labels *kernels.Tensor) *autograd.Var {
	return m.forward(t, w, z, tau, labels, nil)
}

// block records one of the network's blocks.
func (m *Model) block(t *autograd.Tape, ops func() *autograd.Var) *autograd.Var {
	if m.CheckpointBlocks {
		return t.Checkpoint(ops)
	}
	return ops()
}

// forward is Forward, with dropout where step, the step buffer of training, is not nil.
func (m *Model) forward(t *autograd.Tape, w Weights, z, tau *autograd.Var, labels, step *kernels.Tensor) *autograd.Var {
	if m.Arch == "jit" {
		return m.jit(t, w, z, tau, labels, step)
	}
	return m.post(t, w, z, tau)
}
