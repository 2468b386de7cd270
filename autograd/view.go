// SPDX-License-Identifier: MIT

package autograd

import (
	"fmt"
	"strings"

	"jitvk/kernels"
)

// Heads cuts x (B,T,n*H*D) into n heads tensors (B,T,H,D) that share its memory: q, k and v of one fused projection.
// Their gradients are views of x's gradient in the same way, so nothing is copied in either direction.
func (t *Tape) Heads(x *Var, n, h int) []*Var {
	s := x.Value.Shape
	if len(s) != 3 || s[2]%(n*h) != 0 {
		panic(fmt.Sprintf("autograd: Heads: %v into %d times %d heads", x.Value, n, h))
	}
	return t.views("Heads", x, n, s[0], s[1], h, s[2]/(n*h))
}

// Parts cuts x (B,n*C) into n tensors (B,C) that share its memory, as Heads does: the shifts, scales and gates of one
// projection.
func (t *Tape) Parts(x *Var, n int) []*Var {
	s := x.Value.Shape
	if len(s) != 2 || s[1]%n != 0 {
		panic(fmt.Sprintf("autograd: Parts: %v into %d parts", x.Value, n))
	}
	return t.views("Parts", x, n, s[0], s[1]/n)
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
		views[i] = &Var{Value: cut(x.Value), needs: x.needs, parent: x, cut: cut, name: fmt.Sprintf("%s[%d]", x.name, i)}
	}
	take(op, x)
	x.gone = "cut by " + op
	t.nodes = append(t.nodes, node{fmt.Sprintf("#%d %s %dx%v <- %s%v", len(t.nodes), strings.ToLower(op), n, views[0].Value, x.name, x.Value), func() {
		used := 0
		for _, v := range views {
			if v.has {
				used++
			}
		}
		if used != 0 && used != n {
			panic(fmt.Sprintf("autograd: %s: only %d of %d parts of %s were used", op, used, n, x.name))
		}
		x.has = x.has || used == n
	}})
	return views
}

// Reshape is the same elements under another shape.
func (t *Tape) Reshape(x *Var, shape ...int) *Var {
	y := &Var{Value: x.Value.Reshape(shape...), needs: x.needs, name: x.name}
	t.push(y, []*Var{x}, func() { t.give(x, y.Grad.Reshape(x.Value.Shape...)) })
	return y
}
