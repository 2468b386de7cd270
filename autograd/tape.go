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
// Misuse panics with the op and the Vars that it was given: wrong shapes, a Var of another tape, a gradient that there is not.
//
// Read tape.go first, then var.go, linear.go and norm.go; every other op is one file of the same shape.
package autograd

import (
	"fmt"
	"slices"
	"strings"

	"jitvk/engine"
	"jitvk/kernels"
)

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
	seeded bool                    // a gradient waits for Backward
	done   bool                    // Backward has run
	halves map[*Var]kernels.Tensor // weights, rounded
}

// node is an op: its line in Dump, what it made, its backward kernels.
type node struct {
	text     string
	out      []*Var
	backward func()
}

// New starts an empty tape over a program.
func New(p *engine.Program) *Tape { return &Tape{P: p, halves: map[*Var]kernels.Tensor{}} }

// Backward records the backward kernels of all ops so far. The gradient of loss, a Var of one of the ops, must have been
// seeded: FlowLoss does it itself, Seed does it for any other.
func (t *Tape) Backward() {
	t.take("Backward")
	if !t.seeded {
		panic(fmt.Sprintf("autograd: Backward: none of %d ops has a gradient to start from: FlowLoss or Seed gives it", len(t.nodes)))
	}
	for i := len(t.nodes) - 1; i >= 0; i-- {
		t.nodes[i].backward()
	}
	for _, x := range t.params {
		if !x.has {
			t.P.Fill(x.grad.Range, 0)
			x.has = true
		}
	}
	t.nodes, t.params, t.done = nil, nil, true
}

// Seed sets the upstream gradient of y, the output of an op: the start of a backward pass, which may overwrite grad.
func (t *Tape) Seed(y *Var, grad kernels.Tensor) {
	t.take("Seed", y)
	if y.has || !y.needs || y.param || y.parent != nil || !slices.Equal(grad.Shape, y.Value.Shape) {
		panic(fmt.Sprintf("autograd: Seed: %v for %v, which must be an op's output, need a gradient and have none", grad, y))
	}
	y.grad, y.has, t.seeded = grad, true, true
}

// take returns what an op takes. It panics where that is nothing, another tape's, or memory that another op has cut up.
func (t *Tape) take(op string, in ...*Var) []*Var {
	if t.done {
		panic(fmt.Sprintf("autograd: %s: Backward has run: New makes another tape", op))
	}
	for i, x := range in {
		switch {
		case x == nil:
			panic(fmt.Sprintf("autograd: %s: its input %d of %d is nil", op, i, len(in)))
		case x.tape != t:
			panic(fmt.Sprintf("autograd: %s: %v is on another tape", op, x))
		case x.gone != "":
			panic(fmt.Sprintf("autograd: %s: %v was %s: no later op may take it", op, x, x.gone))
		}
	}
	return in
}

// out makes an op's output in a temporary of the program.
func (t *Tape) out(op string, in []*Var, shape ...int) *Var {
	return t.outOfPrecision(kernels.FP32, op, in, shape...)
}

func (t *Tape) outOfPrecision(precision kernels.Precision, op string, in []*Var, shape ...int) *Var {
	y := &Var{Value: kernels.TempOfPrecision(t.P, op, precision, shape...), tape: t, name: op}
	for _, x := range in {
		y.needs = y.needs || x.needs
	}
	return y
}

// push puts an op on the tape. Its backward runs only if the output has a gradient: an output that nothing used, or that
// needs none, has nothing to hand down.
func (t *Tape) push(y *Var, in []*Var, backward func()) {
	text := fmt.Sprintf("#%d %s %v <-", len(t.nodes), y.name, y.Value)
	for _, x := range in {
		text += " " + x.String()
	}
	t.nodes = append(t.nodes, node{text, []*Var{y}, func() {
		if y.needs && y.has {
			backward()
		}
	}})
}

// into returns where a contribution to x's gradient goes, and whether it is added to what is there. What is added to lies in fp32, but
// for parts of a gradient in halves.
func (t *Tape) into(x *Var) (grad kernels.Tensor, acc bool) {
	if x.parent != nil && x.grad.Shape == nil {
		p := x.parent
		if p.grad.Shape == nil {
			p.grad = t.gradOf(p)
		}
		x.grad, x.has = x.cut(p.grad), p.has
	}
	switch {
	case x.grad.Shape == nil:
		x.grad = t.gradOf(x)
	case x.has && x.parent == nil:
		x.grad = t.inFP32(x.grad)
	}
	acc, x.has, x.half = x.has, true, kernels.Tensor{}
	return x.grad, acc
}

// gradOf makes the memory of x's gradient, which lies as x does.
func (t *Tape) gradOf(x *Var) kernels.Tensor {
	return kernels.TempOfPrecision(t.P, "d "+x.name, x.Value.Precision, x.Value.Shape...)
}

// give hands the gradient of y, the op's output, on to x as a contribution: without a copy where x has none yet, so that x's
// later contributions are added to that memory. An op gives once, and last: y has no gradient afterwards.
func (t *Tape) give(x, y *Var) {
	g := y.Grad()
	y.grad, y.has = kernels.Tensor{}, false
	switch {
	case !x.needs:
	case !x.has && !x.param && x.parent == nil:
		x.grad, x.half, x.has = g.Reshape(x.Value.Shape...), kernels.Tensor{}, true
	default:
		grad, acc := t.into(x)
		switch {
		case acc:
			kernels.Add(t.P, grad, grad, t.inFP32(g))
		case grad.Precision != g.Precision:
			kernels.Cast(t.P, grad, g)
		default:
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
