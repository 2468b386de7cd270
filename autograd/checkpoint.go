// SPDX-License-Identifier: MIT

package autograd

import (
	"fmt"
	"maps"
)

// Checkpoint records the ops of block and keeps none of what they save: Backward records them a second time, right before their
// backward kernels (Chen et al., arXiv 1604.06174). Temporaries of the block then live for a moment twice, and only what it takes
// from outside lives from the forward pass to the backward pass: less memory for one more forward pass. The second time the same
// kernels read the same inputs, so gradients have the same bits as without. Weights in halves (Tape.Precision) are temporaries, too,
// and rounded again.
//
// block is called twice, or once if no gradient reaches its result. The result is the only Var of its ops that an op outside may
// take. block must not cut a Var from outside with Heads or Parts.
func (t *Tape) Checkpoint(block func() *Var) *Var {
	t.take("checkpoint")
	first, seeded, halves := len(t.nodes), t.seeded, t.halves
	t.halves = maps.Clone(halves)
	y := block()
	t.halves = halves
	if y == nil || y.tape != t || y.parent != nil || t.seeded != seeded {
		panic(fmt.Sprintf("autograd: checkpoint: its block returned %v, and seeded a gradient is %v: "+
			"it must return an op's output, and the loss comes after it", y, t.seeded))
	}
	inner := t.nodes[first:]
	for _, n := range inner {
		for _, x := range n.out {
			if x != y {
				x.gone = "made inside a checkpointed block"
			}
		}
	}
	text := fmt.Sprintf("#%d checkpoint %v of %d ops", first, y.Value, len(inner))
	t.nodes = append(t.nodes[:first], node{text, []*Var{y}, func() {
		if !y.needs || !y.has {
			return
		}
		first, halves := len(t.nodes), t.halves
		t.halves = maps.Clone(halves)
		again := block()
		again.grad, again.half, again.has = y.grad, y.half, true
		for i := len(t.nodes) - 1; i >= first; i-- {
			t.nodes[i].backward()
		}
		t.nodes, t.halves = t.nodes[:first], halves
	}})
	return y
}
