// SPDX-License-Identifier: MIT

package command

import (
	"fmt"
	"os"
	"path/filepath"

	"jitvk/engine/files"
	"jitvk/model/report"
)

// check refuses, before anything is computed, what would fail or do harm at the end.
func (c Config) check(loaded string, size, classes int) error {
	cell := int64(size) + 98 // side of a picture in the grid, at most
	picture := 12*int64(size)*int64(size) + 4*cell*cell
	total := c.total(classes)
	if most := maxMemory / picture; int64(total) > most {
		return fmt.Errorf("sample: -n %d, %d pictures in all: at %d pixels at most %d fit into %s of memory; draw more with another -seed",
			c.N, total, size, most, report.Bytes(maxMemory))
	}
	if bytes := float64(c.Steps+1) * float64(total) * 12 * float64(size) * float64(size); c.Trajectory != "" && bytes > maxMemory {
		return fmt.Errorf("sample: -trajectory of %d pictures and -steps %d takes %s, at most %s will do; lower one of them", total,
			c.Steps, report.Bytes(int64(min(bytes, 1e18))), report.Bytes(maxMemory))
	}
	written := []string{loaded}
	for _, path := range []string{c.Out, c.Trajectory} {
		if path == "" {
			continue
		}
		for _, other := range written {
			if same(path, other) {
				return fmt.Errorf("sample: %s would be written over %s; choose another name", path, other)
			}
		}
		written = append(written, path)
		if c.DryRun {
			continue
		}
		f, err := files.Create(path) // can it be written?
		if err != nil {
			return err
		}
		f.Abort()
	}
	return nil
}

// maxMemory bounds what sampling keeps on the host, in bytes.
const maxMemory = 4 << 30

// same tells whether two names are of one file.
func same(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
