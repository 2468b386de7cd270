// SPDX-License-Identifier: MIT

//go:build unix

package dataset

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// mapFile gives a file's content without reading it: pages come when they are touched and are shared between processes.
// Caches are replaced by renaming and never changed, so a mapping stays valid.
func mapFile(path string) (content []byte, unmap func() error, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 || info.Size() != int64(int(info.Size())) {
		return nil, nil, errors.New("not a file, empty or too large")
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil { // some file systems cannot
		b, err = os.ReadFile(path)
		return b, func() error { return nil }, err
	}
	return b, func() error { return unix.Munmap(b) }, nil
}
