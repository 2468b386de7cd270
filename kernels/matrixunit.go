// SPDX-License-Identifier: MIT

package kernels

import (
	"encoding/binary"

	"jitvk/shaders"
)

// OnMatrixUnit reports whether a shader multiplies on matrix units: whether its module declares the capability for it, as modules
// declare all of theirs first (SPIR-V specification, 2.4 and 3.31). No shader of that name: false.
func OnMatrixUnit(shader string) bool {
	const header, opCapability, cooperativeMatrixKHR = 20, 2<<16 | 17, 6022
	code, _ := shaders.SPIRV(shader)
	for at := header; at+8 <= len(code) && binary.LittleEndian.Uint32(code[at:]) == opCapability; at += 8 {
		if binary.LittleEndian.Uint32(code[at+4:]) == cooperativeMatrixKHR {
			return true
		}
	}
	return false
}
