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
	"encoding/binary"
	"fmt"
	"math"

	"jitvk/autograd"
	"jitvk/engine"
	"jitvk/kernels"
)

// alignFloats is where each parameter starts within the flat buffers: 64 floats, so that each can be bound by itself.
const alignFloats = 64

// Layout is where each parameter lies in a flat buffer. Weights, gradients, both moments of the optimizer and the EMA
// share one layout, so that an optimizer step, a gradient norm or an all-reduce is one pass over one range.
type Layout struct {
	Params []Param
	offset map[string]int // floats
	Floats int            // length of the flat buffer, gaps included
}

// Layout returns the places of the model's parameters.
func (c Config) Layout() *Layout {
	l := &Layout{Params: c.Params(), offset: map[string]int{}}
	for _, p := range l.Params {
		l.offset[p.Name] = l.Floats
		l.Floats += (p.Len() + alignFloats - 1) / alignFloats * alignFloats
	}
	return l
}

// Bytes returns the size of a flat buffer.
func (l *Layout) Bytes() int64 { return 4 * int64(l.Floats) }

// Flat returns all of a flat buffer as one vector, for the optimizer.
func (l *Layout) Flat(b *engine.Buffer) kernels.Tensor { return kernels.View(b.All(), l.Floats) }

// View returns one parameter in a flat buffer.
func (l *Layout) View(b *engine.Buffer, p Param) kernels.Tensor {
	return kernels.View(b.Range(4*int64(l.offset[p.Name]), 4*int64(p.Len())), p.Shape...)
}

// Pack lays named values out as the bytes of a flat buffer, zeros in the gaps. It says which name is missing or has
// another length.
func (l *Layout) Pack(values map[string][]float32) ([]byte, error) {
	out := make([]byte, l.Bytes())
	for _, p := range l.Params {
		v, ok := values[p.Name]
		if !ok || len(v) != p.Len() {
			return nil, fmt.Errorf("model: parameter %s: %d values, %d wanted", p.Name, len(v), p.Len())
		}
		encode(l.Slice(out, p), v)
	}
	return out, nil
}

// encode writes values as the device reads them.
func encode(to []byte, values []float32) {
	for i, v := range values {
		binary.LittleEndian.PutUint32(to[4*i:], math.Float32bits(v))
	}
}

// Slice returns one parameter's bytes within the bytes of a flat buffer.
func (l *Layout) Slice(flat []byte, p Param) []byte {
	at := 4 * l.offset[p.Name]
	return flat[at : at+4*p.Len()]
}

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
			raw := make([]byte, 4*len(data))
			encode(raw, data)
			err = d.Upload(b.All(), raw)
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

// Bind brings the parameters in a flat buffer onto the tape, with gradients into another; grads may be nil where none are
// wanted.
func (m *Model) Bind(t *autograd.Tape, params, grads *engine.Buffer) Weights {
	w := Weights{}
	for _, p := range m.Layout.Params {
		if grads == nil {
			w[p.Name] = t.Const(m.Layout.View(params, p))
		} else {
			w[p.Name] = t.Param(p.Name, m.Layout.View(params, p), m.Layout.View(grads, p))
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
