// SPDX-License-Identifier: MIT

// Package autograd is reverse-mode differentiation on a tape.
//
// An op does two things when it is called: it records its forward kernels into the tape's program, and it puts a closure
// on the tape that will record its backward kernels. Backward runs the closures from the last to the first. Nothing is
// computed here: after Backward the program holds the whole training step, to be built once and replayed.
//
// Words: a Var is a tensor that ops make and take. Its gradient is dLoss/dValue, of the same shape. An op's upstream
// gradient is the gradient of its output. What an op's backward needs from its forward is saved: the closure names it.
//
// Why the reverse of creation order is right: an op can only take Vars that exist, so every use of a Var was created
// after the op that made it. Going backwards, all uses have contributed to a Var's gradient before its maker reads it.
//
// Contributions add up. The first one to a gradient writes it and the later ones add (into decides which), so gradients
// need no zeroing. The exception is give, which hands an upstream gradient on without a copy. A parameter that had no
// contribution gets zeros.
//
// Two ops share memory with their input, which no later op may take then: Heads and Parts cut it into views.
//
// Read tape.go first, then linear.go, then norm.go; every other op is one file of the same shape.
package autograd

import (
	"fmt"
	"slices"
	"strings"

	"jitvk/engine"
	"jitvk/kernels"
)

// Var is a tensor on the tape.
type Var struct {
	Value kernels.Tensor
	Grad  kernels.Tensor // has no shape until there is a contribution

	needs  bool // a gradient is wanted: a parameter lies at or below this Var
	has    bool // Grad holds at least one contribution
	param  bool // Grad is the caller's memory and must not be exchanged
	parent *Var // of a view: the Var whose memory this one shares
	cut    func(kernels.Tensor) kernels.Tensor
	name   string

	gone string // why no op may take it any more
}

// Tape records ops into a program.
type Tape struct {
	P *engine.Program
	// Precision is what the operands of matrix products and of attention are rounded to, forward and backward, and what those
	// that nothing else reads are kept in (halves.go). Everything else is fp32. Below FP32 the loss's gradient should be scaled up
	// (FlowLossOptions.Step).
	Precision kernels.Precision
	// AddGrads adds the parameters' gradients to what their memory holds, for parameters that come after it is set: gradients of
	// several batches are summed so. The caller clears that memory.
	AddGrads bool

	nodes  []node
	params []*Var
	seeded bool
	halves map[*Var]kernels.Tensor // weights, rounded
}

type node struct {
	text     string
	backward func()
}

// New starts an empty tape over a program.
func New(p *engine.Program) *Tape { return &Tape{P: p, halves: map[*Var]kernels.Tensor{}} }

// Const brings a tensor onto the tape that needs no gradient: data, noise, tables.
func (t *Tape) Const(value kernels.Tensor) *Var { return &Var{Value: value, name: "const"} }

// Param brings a parameter onto the tape. Backward writes its gradient into grad, or adds it there (AddGrads).
func (t *Tape) Param(name string, value, grad kernels.Tensor) *Var {
	x := &Var{Value: value, Grad: grad, needs: true, has: t.AddGrads, param: true, name: name}
	t.params = append(t.params, x)
	return x
}

// Leaf brings a tensor onto the tape whose gradient is wanted and lies in a temporary: for tests of ops.
func (t *Tape) Leaf(value kernels.Tensor) *Var { return &Var{Value: value, needs: true, name: "leaf"} }

// Backward records the backward kernels of all ops so far. The gradient of loss, a Var of one of the ops, must have been
// seeded: FlowLoss does it itself, Seed does it for any other.
func (t *Tape) Backward() {
	if !t.seeded {
		panic("autograd: Backward: no gradient was seeded, or it ran before")
	}
	for i := len(t.nodes) - 1; i >= 0; i-- {
		t.nodes[i].backward()
	}
	for _, x := range t.params {
		if !x.has {
			t.P.Fill(x.Grad.Range, 0)
		}
	}
	t.nodes, t.params, t.seeded = nil, nil, false
}

// Seed sets the upstream gradient of y, the output of an op: the start of a backward pass, which may overwrite grad.
func (t *Tape) Seed(y *Var, grad kernels.Tensor) {
	if y.has || !y.needs || y.param || y.parent != nil || y.gone != "" || !slices.Equal(grad.Shape, y.Value.Shape) {
		panic(fmt.Sprintf("autograd: Seed: %v for %s%v, which must be an op's output, need a gradient and have none", grad, y.name, y.Value))
	}
	y.Grad, y.has, t.seeded = grad, true, true
}

// out makes an op's output in a temporary of the program.
func (t *Tape) out(op string, in []*Var, shape ...int) *Var {
	return t.outOfPrecision(kernels.FP32, op, in, shape...)
}

func (t *Tape) outOfPrecision(precision kernels.Precision, op string, in []*Var, shape ...int) *Var {
	y := &Var{Value: kernels.TempOfPrecision(t.P, op, precision, shape...), name: op}
	for _, x := range in {
		y.needs = y.needs || x.needs
	}
	return y
}

// push puts an op on the tape. Its backward runs only if the output has a gradient: an output that nothing used, or that
// needs none, has nothing to hand down.
func (t *Tape) push(y *Var, in []*Var, backward func()) {
	take(y.name, in...)
	text := fmt.Sprintf("#%d %s %v <-", len(t.nodes), y.name, y.Value)
	for _, x := range in {
		text += fmt.Sprintf(" %s%v", x.name, x.Value)
	}
	t.nodes = append(t.nodes, node{text, func() {
		if y.needs && y.has {
			backward()
		}
	}})
}

// take panics where a var that an op takes has lost its memory to another op.
func take(op string, in ...*Var) {
	for _, x := range in {
		if x.gone != "" {
			panic(fmt.Sprintf("autograd: %s: %s%v was %s: no later op may take it", op, x.name, x.Value, x.gone))
		}
	}
}

// into returns where a contribution to x's gradient goes, and whether it is added to what is there.
func (t *Tape) into(x *Var) (grad kernels.Tensor, acc bool) {
	if x.parent != nil && x.Grad.Shape == nil {
		p := x.parent
		if p.Grad.Shape == nil {
			p.Grad = kernels.Temp(t.P, "d "+p.name, p.Value.Shape...)
		}
		x.Grad, x.has = x.cut(p.Grad), p.has
	}
	if x.Grad.Shape == nil {
		x.Grad = kernels.Temp(t.P, "d "+x.name, x.Value.Shape...)
	}
	acc, x.has = x.has, true
	return x.Grad, acc
}

// give hands g, an upstream gradient that nothing else will read, on to x as a contribution: without a copy where x has
// none yet.
func (t *Tape) give(x *Var, g kernels.Tensor) {
	switch {
	case !x.needs:
	case !x.has && !x.param && x.parent == nil:
		x.Grad, x.has = g, true
	default:
		grad, acc := t.into(x)
		if acc {
			kernels.Add(t.P, grad, grad, g)
		} else {
			t.P.Copy(grad.Range, g.Range)
		}
	}
}

// Dump lists the ops on the tape, one a line: #12 linear (4,64,384) <- norm(4,64,384) blocks.0.qkv(1152,384).
func (t *Tape) Dump() string {
	var b strings.Builder
	for _, n := range t.nodes {
		fmt.Fprintln(&b, n.text)
	}
	return b.String()
}
