// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// AttentionRungs returns the names of the rungs that Attention can record.
func AttentionRungs() (names []string) {
	for _, r := range attentionRungs {
		names = append(names, r.name)
	}
	return names
}

// AttentionRuns reports whether a device runs a rung with operands of a precision and heads of D floats.
func AttentionRuns(rung string, info engine.Info, precision Precision, D int) bool {
	for _, r := range attentionRungs {
		if r.name == rung {
			return r.runs(info, precision, D)
		}
	}
	return false
}

// ChooseAttention returns the rung that a device is given.
func ChooseAttention(info engine.Info, precision Precision, D int, rung string) string {
	return chooseAttention(info, attention{D: D, Precision: precision}, "forward", rung, answers(guess)).name
}

// WithAttentionShape calls f while 03_coopmat is cut into fragments of m x k by k x n, subgroups of m rows to a workgroup,
// and tiles, whatever the device has.
func WithAttentionShape(m, n, k, subgroups, tile int, unroll bool, f func()) {
	attentionShapeForce = coopMatShape{m, n, k, subgroups, tile, unroll}
	defer func() { attentionShapeForce = coopMatShape{} }()
	f()
}

// AttentionShape returns the shape that a device is given for heads of D floats: fragment, subgroups, tile and bytes of shared
// memory; all 0 where it cannot have the rung.
func AttentionShape(info engine.Info, D int) (m, n, k, subgroups, tile, sharedMemory int) {
	s, ok := attentionShape(info, D)
	if !ok {
		return
	}
	return s.m, s.n, s.k, s.subgroups, s.tile, s.sharedMemory(D)
}
