// SPDX-License-Identifier: MIT

package autograd

import (
	"fmt"
	"slices"

	"jitvk/kernels"
)

// Var is a tensor on the tape.
type Var struct {
	Value kernels.Tensor

	tape   *Tape
	name   string
	grad   kernels.Tensor // has no shape until there is a contribution
	needs  bool           // a gradient is wanted: a parameter lies at or below this Var
	has    bool           // grad holds at least one contribution
	half   kernels.Tensor // grad in halves, as long as nothing was added since; may have no shape
	reread bool           // its maker's backward reads grad in products only, and more than once
	param  bool           // grad is the caller's memory and must not be exchanged
	parent *Var           // of a view: the Var whose memory this one shares
	cut    func(kernels.Tensor) kernels.Tensor
	gone   string // why no op may take it any more
}

// String names the Var and its shape: linear(4,64,384).
func (x *Var) String() string { return x.name + x.Value.String() }

// Grad is dLoss/dValue, once Backward has recorded it.
func (x *Var) Grad() kernels.Tensor {
	if !x.needs || !x.has {
		panic(fmt.Sprintf("autograd: Grad: %v has none: it is constant, does not lead to the loss, or comes before Backward", x))
	}
	return x.grad
}

// Const brings a tensor onto the tape that needs no gradient: data, noise, tables.
func (t *Tape) Const(value kernels.Tensor) *Var { return &Var{Value: value, tape: t, name: "const"} }

// Param brings a parameter onto the tape. Backward writes its gradient into grad, or adds it there (AddGrads).
func (t *Tape) Param(name string, value, grad kernels.Tensor) *Var {
	if !slices.Equal(value.Shape, grad.Shape) {
		panic(fmt.Sprintf("autograd: Param: %s%v with a gradient %v", name, value, grad))
	}
	x := &Var{Value: value, tape: t, name: name, grad: grad, needs: true, has: t.AddGrads, param: true}
	t.params = append(t.params, x)
	return x
}

// Leaf brings a tensor onto the tape whose gradient is wanted and lies in a temporary: for tests of ops.
func (t *Tape) Leaf(value kernels.Tensor) *Var {
	return &Var{Value: value, tape: t, name: "leaf", needs: true}
}

// dims is the shape of what an op takes, which must have n dimensions.
func (x *Var) dims(op string, n int) []int {
	if len(x.Value.Shape) != n {
		panic(fmt.Sprintf("autograd: %s: %v has %d dimensions, %d wanted", op, x, len(x.Value.Shape), n))
	}
	return x.Value.Shape
}

// maybe returns those of an op's optional inputs that are there.
func (t *Tape) maybe(op string, in ...*Var) []*Var {
	return t.take(op, slices.DeleteFunc(in, func(x *Var) bool { return x == nil })...)
}

// only is into for an op whose backward writes x's gradient and cannot add to it.
func (t *Tape) only(op string, x *Var) kernels.Tensor {
	grad, acc := t.into(x)
	if acc {
		panic(fmt.Sprintf("autograd: %s: %v has another use after it, and no contribution can be added to its gradient", op, x))
	}
	return grad
}

// pair is into for two inputs whose gradients one kernel writes or adds to in the same way.
func (t *Tape) pair(op string, a, b *Var) (da, db kernels.Tensor, acc bool) {
	da, acc = t.into(a)
	db, accB := t.into(b)
	if acc != accB {
		panic(fmt.Sprintf("autograd: %s: of %v and %v one has a later use without the other", op, a, b))
	}
	return da, db, acc
}
