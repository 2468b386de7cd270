// SPDX-License-Identifier: MIT

package files

import (
	"os"
	"path/filepath"
)

// CacheDir is where the project's programs keep what they can make again: $JITVK_CACHE, or jitvk in the user's cache folder. It
// may not be there yet.
func CacheDir() (string, error) {
	if dir := os.Getenv("JITVK_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "jitvk"), nil
}
