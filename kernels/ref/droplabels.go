// SPDX-License-Identifier: MIT

package ref

// DropLabels is kept = labels, with none in place of a label whose image's first random number is below prob.
func DropLabels(kept, labels []uint32, none uint32, prob float64, r Random) {
	for i, l := range labels {
		if kept[i] = l; Uniform(r.Words(0, i)[0]) < prob {
			kept[i] = none
		}
	}
}
