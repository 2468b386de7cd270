// SPDX-License-Identifier: MIT

package measure

import (
	"jitvk/engine"
	"jitvk/kernels"
)

// Layers are (in, out) of the four linear layers of a transformer's block: qkv, proj, w12, w3.
func Layers(dim, hidden int) [][2]int {
	return [][2]int{{dim, 3 * dim}, {dim, dim}, {dim, 2 * hidden}, {hidden, dim}}
}

// Attention is that of one block, q, k and v being views of one projection as in the model.
type Attention struct {
	Forward, Backward           func(p *engine.Program, o kernels.AttentionOptions)
	O, DQKV                     kernels.Tensor // what the two write
	ForwardFLOPs, BackwardFLOPs float64        // the two and the five products of the formulas, whatever a rung computes twice
}

// NewAttention takes the tensors for B images of T tokens and H heads of D floats from m. precision says in what q, k, v, o, do, dq, dk
// and dv lie, by name; nil: in fp32.
func NewAttention(m *Memory, B, T, H, D int, precision func(name string) kernels.Precision) Attention {
	if precision == nil {
		precision = func(string) kernels.Precision { return kernels.FP32 }
	}
	heads := func(name string) kernels.Tensor { return m.TensorOfPrecision(precision(name), B, T, H, D) }
	// three returns three views of a projection, or, of what lies in another precision than the first, of another one.
	three := func(names ...string) (views [3]kernels.Tensor, first kernels.Tensor) {
		in := map[kernels.Precision]kernels.Tensor{}
		for i, name := range names {
			p := precision(name)
			if _, ok := in[p]; !ok {
				in[p] = m.TensorOfPrecision(p, B, T, 3*H*D)
			}
			views[i] = kernels.Tensor{Shape: []int{B, T, H, D}, Range: in[p].Range, Ld: 3 * H * D, Off: i * H * D, Precision: p}
		}
		return views, in[precision(names[0])]
	}
	qkv, _ := three("q", "k", "v")
	dqkv, result := three("dq", "dk", "dv")
	o, do, lse := heads("o"), heads("do"), m.Tensor(B, H, T)
	product := 2 * float64(B*H) * float64(T) * float64(T) * float64(D)
	return Attention{
		Forward: func(p *engine.Program, opt kernels.AttentionOptions) {
			kernels.Attention(p, o, lse, qkv[0], qkv[1], qkv[2], opt)
		},
		Backward: func(p *engine.Program, opt kernels.AttentionOptions) {
			kernels.AttentionBackward(p, dqkv[0], dqkv[1], dqkv[2], do, o, lse, qkv[0], qkv[1], qkv[2], opt)
		},
		O: o, DQKV: result, ForwardFLOPs: 2 * product, BackwardFLOPs: 5 * product,
	}
}
