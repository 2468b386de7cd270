// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// Embed is y[b] = table[labels[b]]: a learned row (C) for each of K classes. table (K,C), labels (B) 32-bit integers, y (B,C).
//
//	dtable[k] = sum of dy[b] over the images with label k
func (t *Tape) Embed(table *Var, labels kernels.Tensor) *Var {
	y := t.out("embed", []*Var{table}, labels.Len(), table.Value.Shape[1])
	kernels.Embed(t.P, y.Value, table.Value, labels)

	t.push(y, []*Var{table}, func() {
		dtable, acc := t.into(table)
		kernels.EmbedBackward(t.P, dtable, y.Grad, labels, acc)
	})
	return y
}
