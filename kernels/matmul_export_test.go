// SPDX-License-Identifier: MIT

package kernels

// MatMulRungs returns the names of the shaders that MatMul can record.
func MatMulRungs() (names []string) {
	for _, t := range matMulTiers {
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
