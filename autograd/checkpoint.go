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
// block is called twice, or once if no gradient reaches its result, which must be the only Var of its ops that is used outside.
// It must not cut a Var from outside with Heads or Parts.
func (t *Tape) Checkpoint(block func() *Var) *Var {
	first, halves := len(t.nodes), t.halves
	t.halves = maps.Clone(halves)
	y := block()
	t.halves = halves
	text := fmt.Sprintf("#%d checkpoint %v of %d ops", first, y.Value, len(t.nodes)-first)
	t.nodes = append(t.nodes[:first], node{text, func() {
		if !y.needs || !y.has {
			return
		}
		first, halves := len(t.nodes), t.halves
		t.halves = maps.Clone(halves)
		again := block()
		again.Grad, again.has = y.Grad, true
		for i := len(t.nodes) - 1; i >= first; i-- {
			t.nodes[i].backward()
		}
		t.nodes, t.halves = t.nodes[:first], halves
	}})
	return y
}
