// SPDX-License-Identifier: MIT

package autograd

import (
	"fmt"

	"jitvk/kernels"
)

// Heads cuts x (B,T,n*H*D) into n heads tensors (B,T,H,D) that share its memory: q, k and v of one fused projection.
// Their gradients are views of x's gradient in the same way, so nothing is copied in either direction.
func (t *Tape) Heads(x *Var, n, h int) []*Var {
	s := x.Value.Shape
	if len(s) != 3 || s[2]%(n*h) != 0 {
		panic(fmt.Sprintf("autograd: Heads: %v into %d times %d heads", x.Value, n, h))
	}
	d := s[2] / (n * h)
	views := make([]*Var, n)
	for i := range views {
		cut := func(p kernels.Tensor) kernels.Tensor {
			return kernels.Tensor{Shape: []int{s[0], s[1], h, d}, Range: p.Range, Ld: s[2], Off: i * h * d}
		}
		views[i] = &Var{Value: cut(x.Value), needs: x.needs, parent: x, cut: cut, name: fmt.Sprintf("%s[%d]", x.name, i)}
	}
	take("heads", x)
	x.gone = "cut by Heads"
	t.nodes = append(t.nodes, node{fmt.Sprintf("#%d heads %dx%v <- %s%v", len(t.nodes), n, views[0].Value, x.name, x.Value), func() {
		used := 0
		for _, v := range views {
			if v.has {
				used++
			}
		}
		if used != 0 && used != n {
			panic(fmt.Sprintf("autograd: Heads: only %d of %d parts of %s were used", used, n, x.name))
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
