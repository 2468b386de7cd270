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

// WithAttentionShape calls f while rungs on matrix units are cut into fragments of m x k by k x n, subgroups of m rows to a workgroup,
// and tiles, whatever the device has.
func WithAttentionShape(m, n, k, subgroups, tile int, unroll, turn bool, f func()) {
	attentionShapeForce = coopMatShape{m, n, k, subgroups, tile, unroll, turn}
	defer func() { attentionShapeForce = coopMatShape{} }()
	f()
}

// AttentionShape returns the shape that a device is given by a rung for heads of D floats: fragment, subgroups, tile and bytes of shared
// memory; all 0 where it cannot have the rung.
func AttentionShape(rung string, info engine.Info, D int) (m, n, k, subgroups, tile, sharedMemory int) {
	shapes, memory := coopMatShapes(info, D), coopMatShape.sharedMemory
	if rung == "attention/04_pipelined" {
		shapes, memory = pipelinedShapes(info, D), coopMatShape.pipelinedMemory
	}
	if len(shapes) == 0 {
		return
	}
	s := shapes[0]
	return s.m, s.n, s.k, s.subgroups, s.tile, memory(s, D)
}

// AttentionChoices returns the ways between which a device is to choose for heads of D floats, the guess first.
func AttentionChoices(info engine.Info, precision Precision, D int) (names []string) {
	for _, w := range attentionChoices(info, attention{D: D, Precision: precision}) {
		names = append(names, w.String())
	}
	return names
}

// AttentionClass is the class of a pass with tensors in halves.
func AttentionClass(size [4]int, precision Precision, pass, halves string) string {
	return attention{B: size[0], T: size[1], H: size[2], D: size[3], Precision: precision, halves: halves}.class(pass)
}
