// SPDX-License-Identifier: MIT

package model

import (
	"fmt"

	"jitvk/autograd"
	"jitvk/kernels"
)

// The blog post's network: the embedded time is joined to every patch; no class labels, no final norm.

func (c Config) postParams() []Param {
	weight := xavier
	if !c.ZeroOutput { // the post starts from PyTorch's defaults
		weight = fanIn
	}
	out := weight
	if c.ZeroOutput {
		out = constant(0)
	}
	list := []Param{
		{"time.0.weight", []int{c.TimeHidden, c.TimeDim}, weight},
		{"time.0.bias", []int{c.TimeHidden}, constant(0)},
		{"time.2.weight", []int{c.TimeDim, c.TimeHidden}, weight},
		{"time.2.bias", []int{c.TimeDim}, constant(0)},
		{"in.weight", []int{c.Dim, c.PatchDim() + c.TimeDim}, weight},
	}
	norm := func(name string, channels, perHead int) {
		if c.Norm == "derf" {
			list = append(list, Param{name + ".alpha", []int{channels}, constant(1)}, Param{name + ".shift", []int{channels}, constant(0)})
		} else {
			list = append(list, Param{name + ".weight", []int{perHead}, constant(1)})
		}
	}
	for i := range c.Depth {
		b := fmt.Sprintf("blocks.%d.", i)
		norm(b+"norm1", c.Dim, c.Dim)
		list = append(list, Param{b + "qkv.weight", []int{3 * c.Dim, c.Dim}, weight})
		norm(b+"q_norm", c.Dim, c.HeadSize())
		norm(b+"k_norm", c.Dim, c.HeadSize())
		list = append(list, Param{b + "proj.weight", []int{c.Dim, c.Dim}, weight}, Param{b + "proj.bias", []int{c.Dim}, constant(0)})
		norm(b+"norm2", c.Dim, c.Dim)
		list = append(list, Param{b + "w12.weight", []int{2 * c.Hidden, c.Dim}, weight},
			Param{b + "w3.weight", []int{c.Dim, c.Hidden}, weight})
	}
	return append(list, Param{"out.weight", []int{c.PatchDim(), c.Dim}, out})
}

// post predicts from z (B,3,ImgH,ImgW) at tau (B).
func (m *Model) post(t *autograd.Tape, w Weights, z, tau *autograd.Var) *autograd.Var {
	e := t.TimeEmbedding(tau, m.TimeDim, kernels.TimeEmbeddingOptions{Scale: float32(m.TimeScale)}) // (B,E)
	e = t.Linear(e, w["time.0.weight"], w["time.0.bias"], nil)
	e = t.Linear(t.SiLU(e), w["time.2.weight"], w["time.2.bias"], nil)

	x := t.Unfold(z, kernels.FoldOptions{Patch: m.Patch, Stride: m.Stride}) // (B,T,3PP)
	x = t.Linear(t.ConcatTime(x, e), w["in.weight"], nil, nil)              // (B,T,C)
	for i := range m.Depth {
		from := x
		x = m.block(t, func() *autograd.Var { return m.postBlock(t, w, fmt.Sprintf("blocks.%d.", i), from) })
	}
	x = t.Linear(x, w["out.weight"], nil, nil) // (B,T,3PP)
	return t.Fold(x, m.Size, m.Size, m.fold)
}

// postBlock is a pre-norm transformer block: x += proj(attention(norm(x))), x += w3(swiglu(w12(norm(x)))).
func (m *Model) postBlock(t *autograd.Tape, w Weights, b string, x *autograd.Var) *autograd.Var {
	s := x.Value.Shape
	h := t.LinearHeads(m.norm(t, w, b+"norm1", x), w[b+"qkv.weight"], nil, 3, m.Heads) // q, k and v, each (B,T,H,D)
	q, k := m.normRoPE(t, w, b+"q_norm", h[0]), m.normRoPE(t, w, b+"k_norm", h[1])
	o := t.Reshape(t.Attention(q, k, h[2]), s...)
	x = t.Linear(o, w[b+"proj.weight"], w[b+"proj.bias"], x)

	return t.SwiGLUMLP(m.norm(t, w, b+"norm2", x), w[b+"w12.weight"], nil, w[b+"w3.weight"], nil, x, m.ValueFirst)
}

func (m *Model) norm(t *autograd.Tape, w Weights, name string, x *autograd.Var) *autograd.Var {
	if m.Norm == "derf" {
		return t.Derf(x, w[name+".alpha"], w[name+".shift"])
	}
	return t.RMSNorm(x, w[name+".weight"], normEps)
}

// normRoPE is norm and then RoPE, for queries and keys.
func (m *Model) normRoPE(t *autograd.Tape, w Weights, name string, x *autograd.Var) *autograd.Var {
	if m.Norm == "derf" {
		return t.DerfRoPE(x, w[name+".alpha"], w[name+".shift"], m.rope.cos, m.rope.sin, false)
	}
	return t.NormRoPE(x, w[name+".weight"], m.rope.cos, m.rope.sin, normEps, false)
}

func (c Config) postMACs() float64 {
	t, d := float64(c.Tokens()), float64(c.Dim)
	block := t*d*4*d + t*d*3*float64(c.Hidden) + 2*t*t*d
	return t*float64(c.PatchDim()+c.TimeDim)*d + float64(c.Depth)*block + t*d*float64(c.PatchDim()) + 2*float64(c.TimeDim*c.TimeHidden)
}
