// SPDX-License-Identifier: MIT

//go:build !unix

package dataset

import "os"

// mapFile reads a file.
func mapFile(path string) (content []byte, unmap func() error, err error) {
	content, err = os.ReadFile(path)
	return content, func() error { return nil }, err
}
