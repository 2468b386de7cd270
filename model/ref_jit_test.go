// SPDX-License-Identifier: MIT

package model

import (
	"fmt"
	"math"
)

// The paper's network in plain Go and float64, from the paper's section 4, its appendix A and the facts of the official
// code that the paper leaves out, not from the kernels. One image at a time.

// dense is x Wᵀ + b with the weight and bias of that name.
func (m refModel) dense(name string, x mat) mat {
	return linear(x, m.w[name+".weight"], m.w[name+".bias"])
}

// modulated is RMSNorm(x) (1 + scale) + shift.
func (m refModel) modulated(name string, x mat, shift, scale []float64) mat {
	out := newMat(x.rows, x.cols)
	for i := range x.rows {
		for j, v := range m.normRow(name, x.row(i), 0) {
			out.row(i)[j] = v*(1+scale[j]) + shift[j]
		}
	}
	return out
}

// turn rotates adjacent pairs of one head's vector: the first half by the row, the second by the column, with frequencies
// 10000^(-2j/(D/2)). Context tokens, at row -1, are not turned.
func (m refModel) turn(x []float64, row, col int) []float64 {
	out := make([]float64, len(x))
	half := len(x) / 2
	for i := 0; i < len(x); i += 2 {
		place := row
		if i >= half {
			place = col
		}
		angle := float64(place) * math.Pow(10000, -float64(i%half)/float64(half))
		if row < 0 {
			angle = 0
		}
		out[i] = x[i]*math.Cos(angle) - x[i+1]*math.Sin(angle)
		out[i+1] = x[i+1]*math.Cos(angle) + x[i]*math.Sin(angle)
	}
	return out
}

// forwardJiT predicts one image (3,Size,Size) from z at time tau for a label.
func (m refModel) forwardJiT(z []float64, tau float64, label int) []float64 {
	act := func(_ int, x float64) float64 { return silu(x) }
	e := newMat(1, 256)
	for i := range 128 {
		a := tau * math.Exp(-math.Log(10000)*float64(i)/128)
		e.v[i], e.v[128+i] = math.Cos(a), math.Sin(a)
	}
	time := m.dense("t_embedder.mlp.2", m.dense("t_embedder.mlp.0", e).each(act))
	class := mat{1, m.Dim, m.w["y_embedder.embedding_table.weight"][label*m.Dim:][:m.Dim]}
	c := time.plus(class).each(act)

	side, P := m.Size/m.Patch, m.Patch // patches do not overlap
	if m.Stride != m.Patch {
		side = (m.Size-m.Patch)/m.Stride + 1
	}
	pixel := func(t, ch, i, j int) int { return (ch*m.Size+t/side*m.Stride+i)*m.Size + t%side*m.Stride + j }
	patches := newMat(side*side, 3*P*P)
	for t := range patches.rows {
		for k := range patches.cols { // a convolution's weight is (out, channel, row, column)
			patches.row(t)[k] = z[pixel(t, k/(P*P), k/P%P, k%P)]
		}
	}
	x := m.dense("x_embedder.proj2", linear(patches, m.w["x_embedder.proj1.weight"], nil))
	for t := range x.rows {
		for k := range m.Dim { // a quarter each: sin and cos of the column, sin and cos of the row
			q := m.Dim / 4
			place := []int{t % side, t % side, t / side, t / side}[k/q]
			angle := float64(place) * math.Pow(10000, -float64(k%q)/float64(q))
			x.row(t)[k] += []func(float64) float64{math.Sin, math.Cos}[k/q%2](angle)
		}
	}

	context := 0
	for b := range m.Depth {
		n := fmt.Sprintf("blocks.%d.", b)
		if b == m.ContextStart && m.Context > 0 {
			context = m.Context
			longer := newMat(context+x.rows, m.Dim)
			for i := range context {
				for k := range m.Dim {
					longer.row(i)[k] = class.v[k] + m.w["in_context_posemb"][i*m.Dim+k]
				}
			}
			copy(longer.v[context*m.Dim:], x.v)
			x = longer
		}
		mod := m.dense(n+"adaLN_modulation.1", c).v
		part := func(i int) []float64 { return mod[i*m.Dim : (i+1)*m.Dim] }
		gated := func(x, y mat, gate []float64) mat {
			return x.plus(y.each(func(i int, v float64) float64 { return v * gate[i%m.Dim] }))
		}

		qkv := m.dense(n+"attn.qkv", m.modulated(n+"norm1", x, part(0), part(1)))
		d := m.Dim / m.Heads
		o := newMat(x.rows, m.Dim)
		for h := range m.Heads {
			head := func(which int, name string) mat {
				out := newMat(x.rows, d)
				for t := range x.rows {
					row, col := -1, -1
					if t >= context {
						row, col = (t-context)/side, (t-context)%side
					}
					v := qkv.row(t)[which*m.Dim+h*d:][:d]
					if name != "" {
						v = m.turn(m.normRow(n+name, v, 0), row, col)
					}
					copy(out.row(t), v)
				}
				return out
			}
			q, k, v := head(0, "attn.q_norm"), head(1, "attn.k_norm"), head(2, "")
			for i := range x.rows {
				weights, sum := make([]float64, x.rows), 0.0
				for j := range weights {
					s := 0.0
					for e := range d {
						s += q.at(i, e) * k.at(j, e)
					}
					weights[j] = math.Exp(s / math.Sqrt(float64(d)))
					sum += weights[j]
				}
				for j, p := range weights {
					for e := range d {
						o.row(i)[h*d+e] += p / sum * v.at(j, e)
					}
				}
			}
		}
		x = gated(x, m.dense(n+"attn.proj", o), part(2))

		ab := m.dense(n+"mlp.w12", m.modulated(n+"norm2", x, part(3), part(4)))
		hidden := newMat(x.rows, m.Hidden)
		for t := range x.rows {
			for f := range m.Hidden {
				hidden.row(t)[f] = silu(ab.at(t, f)) * ab.at(t, m.Hidden+f)
			}
		}
		x = gated(x, m.dense(n+"mlp.w3", hidden), part(5))
	}
	x = mat{x.rows - context, m.Dim, x.v[context*m.Dim:]}
	mod := m.dense("final_layer.adaLN_modulation.1", c).v
	y := m.dense("final_layer.linear", m.modulated("final_layer.norm_final", x, mod[:m.Dim], mod[m.Dim:]))
	return m.fold(y)
}
