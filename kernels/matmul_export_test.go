// SPDX-License-Identifier: MIT

package kernels

import (
	"slices"

	"jitvk/engine"
)

// MatMulRungs returns the names of the shaders that MatMul can record.
func MatMulRungs() (names []string) {
	for _, t := range matMulRungs {
		names = append(names, t.shader)
	}
	return names
}

// WithMatMul calls f while MatMul records the rung of that name, whatever the device.
func WithMatMul(rung string, f func()) {
	matMulForce = rung
	defer func() { matMulForce = "" }()
	f()
}

// MatMulPrecisions returns what operands a rung can multiply on a device; none where the device cannot run it.
func MatMulPrecisions(rung string, info engine.Info) (out []Precision) {
	for _, p := range []Precision{FP32, FP16, BF16} {
		if slices.Contains(MatMulTiers(info, p), rung) {
			out = append(out, p)
		}
	}
	return out
}

// WithCoopMatTile calls f while 05_coopmat takes its i-th tile, whatever the device; CoopMatTiles says how many there are.
func WithCoopMatTile(i int, f func()) {
	coopMatForce = i + 1
	defer func() { coopMatForce = 0 }()
	f()
}

func CoopMatTiles() int { return len(coopMatTiles) }

// ChooseMatMul returns the rung that a device is given.
func ChooseMatMul(info engine.Info, precision Precision, tier string) string {
	return chooseMatMul(info, precision, tier).shader
}

// WithTiers calls f as if JITVK_TIER held a list.
func WithTiers(list string, f func()) {
	before := forced
	forced = func() (map[string]bool, error) { return parseTiers(list) }
	defer func() { forced = before }()
	f()
}

// ParseTiers reads what JITVK_TIER holds.
func ParseTiers(list string) (map[string]bool, error) { return parseTiers(list) }
