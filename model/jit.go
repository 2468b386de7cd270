// SPDX-License-Identifier: MIT

package model

import (
	"fmt"

	"jitvk/autograd"
	"jitvk/kernels"
)

// The paper's network (JiT, arXiv 2511.13720, and its official code): a bottleneck patch embedding, time and class as one
// vector c that modulates every block (adaLN-Zero, Peebles and Xie, arXiv 2212.09748), and class tokens in context. The
// parameters' names are those of the official state dict without its "net.".

func (c Config) jitParams() []Param {
	list := []Param{
		{"t_embedder.mlp.0.weight", []int{c.Dim, c.TimeDim}, normal(0.02)},
		{"t_embedder.mlp.0.bias", []int{c.Dim}, constant(0)},
		{"t_embedder.mlp.2.weight", []int{c.Dim, c.Dim}, normal(0.02)},
		{"t_embedder.mlp.2.bias", []int{c.Dim}, constant(0)},
		{"y_embedder.embedding_table.weight", []int{c.Classes + 1, c.Dim}, normal(0.02)},
		{"x_embedder.proj1.weight", []int{c.Bottleneck, c.PatchDim()}, xavier},
		{"x_embedder.proj2.weight", []int{c.Dim, c.Bottleneck}, xavier},
		{"x_embedder.proj2.bias", []int{c.Dim}, constant(0)},
	}
	linear := func(name string, out, in int, init func(*normalSource, []int) float32) {
		list = append(list, Param{name + ".weight", []int{out, in}, init}, Param{name + ".bias", []int{out}, constant(0)})
	}
	norm := func(name string, width int) {
		list = append(list, Param{name + ".weight", []int{width}, constant(1)})
	}
	if c.Context > 0 {
		list = append(list, Param{"in_context_posemb", []int{c.Context, c.Dim}, normal(0.02)})
	}
	for i := range c.Depth {
		b := fmt.Sprintf("blocks.%d.", i)
		norm(b+"norm1", c.Dim)
		linear(b+"attn.qkv", 3*c.Dim, c.Dim, xavier)
		norm(b+"attn.q_norm", c.HeadSize())
		norm(b+"attn.k_norm", c.HeadSize())
		linear(b+"attn.proj", c.Dim, c.Dim, xavier)
		norm(b+"norm2", c.Dim)
		linear(b+"mlp.w12", 2*c.Hidden, c.Dim, xavier)
		linear(b+"mlp.w3", c.Dim, c.Hidden, xavier)
		linear(b+"adaLN_modulation.1", 6*c.Dim, c.Dim, constant(0))
	}
	norm("final_layer.norm_final", c.Dim)
	linear("final_layer.linear", c.PatchDim(), c.Dim, constant(0))
	linear("final_layer.adaLN_modulation.1", 2*c.Dim, c.Dim, constant(0))
	return list
}

// jit predicts from z (B,3,ImgH,ImgW) at tau (B) for labels (B). Every block starts as the identity and the last layer at
// zero: an untrained network predicts exactly 0.
func (m *Model) jit(t *autograd.Tape, w Weights, z, tau *autograd.Var, labels, step *kernels.Tensor) *autograd.Var {
	batch := tau.Value.Len()
	if labels == nil {
		none := kernels.Temp(t.P, "no labels", batch)
		t.P.Fill(none.Range, uint32(m.Classes))
		labels = &none
	}
	y := t.Embed(w["y_embedder.embedding_table.weight"], *labels)                                // (B,C)
	c := t.TimeEmbedding(tau, m.TimeDim, kernels.TimeEmbeddingOptions{Scale: 1, CosFirst: true}) // (B,E)
	c = t.SiLU(m.linear(t, w, "t_embedder.mlp.0", c, nil))                                       // (B,C)
	// silu(time + class): all that reads it begins so
	c = t.SiLU(m.linear(t, w, "t_embedder.mlp.2", c, y))
	x := t.Unfold(z, kernels.FoldOptions{Patch: m.Patch, Stride: m.Stride})                          // (B,T,3PP)
	x = m.linear(t, w, "x_embedder.proj2", t.Linear(x, w["x_embedder.proj1.weight"], nil, nil), nil) // (B,T,C)
	x = t.AddRows(x, m.positions)
	rope := m.rope
	for i := range m.Depth {
		if m.Context > 0 && i == m.ContextStart {
			x = t.PrependTokens(x, y, w["in_context_posemb"]) // (B,K+T,C)
			rope = m.contextRope
		}
		var dropout func(x *autograd.Var, site int) *autograd.Var
		if step != nil && m.Dropout > 0 && i >= m.Depth/4 && i < m.Depth/4*3 {
			dropout = func(x *autograd.Var, site int) *autograd.Var {
				return t.Dropout(x, *step, float32(m.Dropout), 2*i+site)
			}
		}
		from, turn := x, rope
		x = m.block(t, func() *autograd.Var { return m.jitBlock(t, w, fmt.Sprintf("blocks.%d.", i), from, c, turn, dropout) })
	}
	if m.Context > 0 {
		x = t.DropTokens(x, m.Context)
	}
	mod := t.Parts(m.linear(t, w, "final_layer.adaLN_modulation.1", c, nil), 2) // shift, scale
	x = t.NormModulate(x, w["final_layer.norm_final.weight"], mod[1], mod[0], normEps)
	return t.Fold(m.linear(t, w, "final_layer.linear", x, nil), m.Size, m.Size, m.fold)
}

// jitBlock is x += gate attention(modulate(norm(x))), x += gate mlp(modulate(norm(x))) with shifts, scales and gates from
// the conditioning vector c (B,C). dropout, nil where there is none, follows the attention's last layer and the SwiGLU.
func (m *Model) jitBlock(t *autograd.Tape, w Weights, b string, x, c *autograd.Var, r rotation,
	dropout func(*autograd.Var, int) *autograd.Var) *autograd.Var {
	s := x.Value.Shape
	mod := t.Parts(m.linear(t, w, b+"adaLN_modulation.1", c, nil), 6) // shift, scale, gate of attention, then of the MLP

	n := t.NormModulate(x, w[b+"norm1.weight"], mod[1], mod[0], normEps)
	h := t.LinearHeads(n, w[b+"attn.qkv.weight"], w[b+"attn.qkv.bias"], 3, m.Heads) // q, k and v, each (B,T,H,D)
	q := t.NormRoPE(h[0], w[b+"attn.q_norm.weight"], r.cos, r.sin, normEps, true)
	k := t.NormRoPE(h[1], w[b+"attn.k_norm.weight"], r.cos, r.sin, normEps, true)
	o := t.Reshape(t.Attention(q, k, h[2]), s...)
	if o = m.linear(t, w, b+"attn.proj", o, nil); dropout != nil {
		o = dropout(o, 0)
	}
	x = t.Gate(x, o, mod[2])

	y := t.NormModulate(x, w[b+"norm2.weight"], mod[4], mod[3], normEps)
	if dropout != nil {
		ab := m.linear(t, w, b+"mlp.w12", y, nil) // (B,T,2F)
		y = m.linear(t, w, b+"mlp.w3", dropout(t.SwiGLU(ab, false), 1), nil)
	} else {
		y = t.SwiGLUMLP(y, w[b+"mlp.w12.weight"], w[b+"mlp.w12.bias"], w[b+"mlp.w3.weight"], w[b+"mlp.w3.bias"], nil, false)
	}
	return t.Gate(x, y, mod[5])
}

// linear is a layer with weight and bias, plus r where it is not nil.
func (m *Model) linear(t *autograd.Tape, w Weights, name string, x, r *autograd.Var) *autograd.Var {
	return t.Linear(x, w[name+".weight"], w[name+".bias"], r)
}

func (c Config) jitMACs() float64 {
	T, d := float64(c.Tokens()), float64(c.Dim)
	sum := float64(c.TimeDim)*d + d*d + T*float64(c.PatchDim()*c.Bottleneck) + T*float64(c.Bottleneck)*d
	for i := range c.Depth {
		n := T
		if i >= c.ContextStart {
			n += float64(c.Context)
		}
		sum += n*d*4*d + n*d*3*float64(c.Hidden) + 2*n*n*d + 6*d*d
	}
	return sum + 2*d*d + T*d*float64(c.PatchDim())
}
