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

// NewAttention takes the tensors for B images of T tokens and H heads of D floats from m.
func NewAttention(m *Memory, B, T, H, D int) Attention {
	heads := func() kernels.Tensor { return m.Tensor(B, T, H, D) }
	qkv, dqkv, o, do, lse := m.Tensor(B, T, 3*H*D), m.Tensor(B, T, 3*H*D), heads(), heads(), m.Tensor(B, H, T)
	view := func(t kernels.Tensor, i int) kernels.Tensor {
		return kernels.Tensor{Shape: []int{B, T, H, D}, Range: t.Range, Ld: 3 * H * D, Off: i * H * D}
	}
	product := 2 * float64(B*H) * float64(T) * float64(T) * float64(D)
	return Attention{
		Forward: func(p *engine.Program, opt kernels.AttentionOptions) {
			kernels.Attention(p, o, lse, view(qkv, 0), view(qkv, 1), view(qkv, 2), opt)
		},
		Backward: func(p *engine.Program, opt kernels.AttentionOptions) {
			kernels.AttentionBackward(p, view(dqkv, 0), view(dqkv, 1), view(dqkv, 2), do, o, lse, view(qkv, 0), view(qkv, 1), view(qkv, 2),
				opt)
		},
		O: o, DQKV: dqkv, ForwardFLOPs: 2 * product, BackwardFLOPs: 5 * product,
	}
}
