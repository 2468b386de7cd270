// SPDX-License-Identifier: MIT

package autograd

import "jitvk/kernels"

// Embed is y[b] = table[labels[b]]: a learned row (C) for each of K classes. table (K,C), labels (B) 32-bit integers, y (B,C).
//
//	dtable[k] = sum of dy[b] over the images with label k
func (t *Tape) Embed(table *Var, labels kernels.Tensor) *Var {
	in := t.take("embed", table)
	y := t.out("embed", in, labels.Len(), table.dims("embed", 2)[1])
	kernels.Embed(t.P, y.Value, table.Value, labels)

	t.push(y, in, func() {
		dtable, acc := t.into(table)
		kernels.EmbedBackward(t.P, dtable, y.grad, labels, acc)
	})
	return y
}
