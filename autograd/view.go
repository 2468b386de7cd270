// SPDX-License-Identifier: MIT

package autograd

import (
	"fmt"

	"jitvk/kernels"
)

// Heads cuts x (B,T,n*H*D) into n heads tensors (B,T,H,D) that share its memory: q, k and v of one fused projection.
// Their gradients are views of x's gradient in the same way, so nothing is copied in either direction.
func (t *Tape) Heads(x *Var, n, h int) []*Var {
	t.take("heads", x)
	s := x.dims("heads", 3)
	if n < 1 || h < 1 || s[2]%(n*h) != 0 {
		panic(fmt.Sprintf("autograd: heads: %v into %d times %d heads", x, n, h))
	}
	return t.views("heads", x, n, s[0], s[1], h, s[2]/(n*h))
}

// Parts cuts x (B,n*C) into n tensors (B,C) that share its memory, as Heads does: the shifts, scales and gates of one
// projection.
func (t *Tape) Parts(x *Var, n int) []*Var {
	t.take("parts", x)
	s := x.dims("parts", 2)
	if n < 1 || s[1]%n != 0 {
		panic(fmt.Sprintf("autograd: parts: %v into %d parts", x, n))
	}
	return t.views("parts", x, n, s[0], s[1]/n)
}

// views cuts the rows of x into n parts of equal length, each under the given shape. Every part must be used, or none: a part
// of x's gradient that nobody wrote would be rubbish.
func (t *Tape) views(op string, x *Var, n int, shape ...int) []*Var {
	width := x.Value.Shape[len(x.Value.Shape)-1]
	views := make([]*Var, n)
	for i := range views {
		cut := func(p kernels.Tensor) kernels.Tensor {
			return kernels.Tensor{Shape: shape, Range: p.Range, Ld: width, Off: i * width / n, Precision: p.Precision}
		}
		views[i] = &Var{Value: cut(x.Value), tape: t, needs: x.needs, parent: x, cut: cut, name: fmt.Sprintf("%s[%d]", x.name, i)}
	}
	x.gone = "cut by " + op
	t.nodes = append(t.nodes, node{fmt.Sprintf("#%d %s %dx%v <- %v", len(t.nodes), op, n, views[0].Value, x), views, func() {
		used := 0
		for _, v := range views {
			if v.has {
				used++
			}
		}
		if used != 0 && used != n {
			panic(fmt.Sprintf("autograd: %s: only %d of %d parts of %v were used", op, used, n, x))
		}
		x.has = x.has || used == n
	}})
	return views
}

// Reshape is the same elements under another shape.
func (t *Tape) Reshape(x *Var, shape ...int) *Var {
	in := t.take("reshape", x)
	y := &Var{Value: x.Value.Reshape(shape...), tape: t, needs: x.needs, name: x.name}
	t.push(y, in, func() { t.give(x, y) })
	return y
}
