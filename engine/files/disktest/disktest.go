// SPDX-License-Identifier: MIT

// Package disktest gives tests a disk that is soon full. Imports nothing of ours.
package disktest

import (
	"os/exec"
	"testing"
)

// Mount puts a disk of some size ("64k") on a folder until the test ends. It skips the test where mounting is not allowed.
func Mount(t *testing.T, folder, size string) {
	t.Helper()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "none", folder).CombinedOutput(); err != nil {
		t.Skipf("SKIP: cannot mount a small disk: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", folder).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
}
