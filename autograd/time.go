// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// TimeEmbedding is the sinusoidal embedding (B,e) of the flow times tau (B). It has nothing to learn and tau needs no
// gradient.
func (t *Tape) TimeEmbedding(tau *Var, e int, o kernels.TimeEmbeddingOptions) *Var {
	in := t.take("time embedding", tau)
	y := t.out("time embedding", nil, tau.dims("time embedding", 1)[0], e)
	kernels.TimeEmbedding(t.P, y.Value, tau.Value, o)
	t.push(y, in, nil)
	return y
}

// ConcatTime joins one embedding e (B,E) an image to every token x (B,T,C): y (B,T,C+E).
//
//	dx = dy's first C columns      de = sum over tokens of dy's last E columns
func (t *Tape) ConcatTime(x, e *Var) *Var {
	in, s := t.take("concat time", x, e), x.dims("concat time", 3)
	y := t.out("concat time", in, s[0], s[1], s[2]+e.dims("concat time", 2)[1])
	kernels.ConcatTime(t.P, y.Value, x.Value, e.Value)

	t.push(y, in, func() {
		var dx *kernels.Tensor
		accX := false
		if x.needs {
			var g kernels.Tensor
			g, accX = t.into(x)
			dx = &g
		}
		de, accE := t.into(e)
		kernels.ConcatTimeBackward(t.P, dx, de, y.grad, accX, accE)
	})
	return y
}
