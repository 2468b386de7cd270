// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

type embedPush struct{ Images, Width, Row0, Rows, Classes, First, Blocks uint32 }

// Embed is y[b] = table[label[b]]: a learned row for each class. y (B,C), table (K,C), labels (B) 32-bit integers; one past
// the table counts as K-1.
func Embed(p *engine.Program, y, table, labels Tensor) {
	embed(p, "Embed", y, table, labels, func(rows, images span, push embedPush) {
		c := table.Shape[1]
		blocked(p, "embed_fwd", images.n, c, push, nil, piece(y, images, c).Write(), piece(table, rows, c).Read(), labels.Read())
	})
}

// EmbedBackward is dtable[k] = Σ over the images b with label k of dy[b], in the order of the batch; zeros where no image
// has the label. acc adds to dtable instead. dtable (K,C), dy (B,C), labels (B).
func EmbedBackward(p *engine.Program, dtable, dy, labels Tensor, acc bool) {
	embed(p, "EmbedBackward", dy, dtable, labels, func(rows, images span, push embedPush) {
		c, acc := dtable.Shape[1], acc || images.first > 0
		blocked(p, "embed_bwd", rows.n, c, push, []uint32{flag(acc)}, piece(dtable, rows, c).Update(acc), piece(dy, images, c).Read(),
			labels.Read())
	})
}

// embed calls record for each piece of the table with each piece of the batch.
func embed(p *engine.Program, op string, y, table, labels Tensor, record func(rows, images span, push embedPush)) {
	ok := len(y.Shape) == 2 && len(table.Shape) == 2 && y.Contiguous() && table.Contiguous() && labels.Contiguous() &&
		y.Shape[1] == table.Shape[1] && labels.Len() == y.Shape[0] && y.Len() > 0 && table.Len() > 0
	check(ok, op, "rows %v, table %v, labels %v: contiguous (B,C), (K,C) and (B) wanted", y, table, labels)
	k, c := table.Shape[0], table.Shape[1]
	for _, rows := range spans(p, op, k, 1, c) {
		for _, images := range spans(p, op, y.Shape[0], 1, c) {
			record(rows, images, embedPush{uint32(images.n), uint32(c), uint32(rows.first), uint32(rows.n), uint32(k), uint32(images.first),
				uint32(ceilDiv(c, blockSize(p)))})
		}
	}
}
