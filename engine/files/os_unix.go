// SPDX-License-Identifier: MIT

//go:build unix

package files

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const closeBeforeRename = false

// lock takes the file for this process until it is closed, or until the process is killed: nothing stale can stay behind.
func lock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrBusy
	}
	return nil // a file system without locks (some network ones) is written without
}

// syncFolder puts the new name on the disk too: a rename is in its folder, not in the file.
func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return fmt.Errorf("cannot flush folder %s: %w", folder, err)
	}
	defer d.Close()
	// EINVAL and ENOTSUP: the file system has no such operation.
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return fmt.Errorf("cannot flush folder %s: %w", folder, err)
	}
	return nil
}
