// SPDX-License-Identifier: MIT

package ref

// Embed is y[b] = table[label[b]], rows of c; a label past the table counts as its last row.
func Embed[F float32 | float64](y, table []F, labels []uint32, c int) {
	for b, l := range labels {
		copy(y[b*c:(b+1)*c], table[tableRow(l, len(table)/c)*c:])
	}
}

// EmbedBackward is dtable[k] = Σ over the images b with label k of dy[b].
func EmbedBackward[F float32 | float64](dtable, dy []F, labels []uint32, c int) {
	clear(dtable)
	for b, l := range labels {
		for i := range c {
			dtable[tableRow(l, len(dtable)/c)*c+i] += dy[b*c+i]
		}
	}
}

func tableRow(label uint32, rows int) int { return int(min(label, uint32(rows-1))) }
