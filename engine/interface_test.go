// SPDX-License-Identifier: MIT

package engine

import (
	"testing"

	"jitvk/shaders"
)

// TestInterfaces reads every embedded shader: each binds something, and its workgroup is what constants make it.
func TestInterfaces(t *testing.T) {
	for _, name := range shaders.Names() {
		i, ok := interfaceOf(name)
		if !ok || i.bindings < 1 || i.pushBytes > maxPush || i.pushBytes%4 != 0 {
			t.Errorf("%s: %+v, %v", name, i, ok)
		}
		if l := i.local; l[0].id != 0 && l[0].value < 8 || l[1] != (constant{1, -1}) || l[2] != l[1] {
			t.Errorf("%s: the workgroup's size is %+v: specialization constant 0 or a fixed one wanted", name, l)
		}
	}
	for name, want := range map[string]shaderInterface{
		"prependtokens":    {4, 20, [3]constant{{1, 0}, {1, -1}, {1, -1}}},
		"matmul/04_narrow": {7, 84, [3]constant{{1, 0}, {1, -1}, {1, -1}}},
		"matmul/03_vector": {7, 84, [3]constant{{256, -1}, {1, -1}, {1, -1}}},
	} {
		if got, _ := interfaceOf(name); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}
