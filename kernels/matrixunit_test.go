// SPDX-License-Identifier: MIT

package kernels_test

import (
	"regexp"
	"testing"

	"jitvk/kernels"
	"jitvk/shaders"
)

// TestOnMatrixUnit: the shaders of the rungs for matrix units, forward and backward, and no other.
func TestOnMatrixUnit(t *testing.T) {
	rungs := regexp.MustCompile("^(matmul/0[5-7]|attention/0[34]|peak/coopmat)")
	for _, name := range shaders.Names() {
		if got := kernels.OnMatrixUnit(name); got != rungs.MatchString(name) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if kernels.OnMatrixUnit("copy") {
		t.Error("a copy, which has no shader, is said to be on a matrix unit")
	}
}
