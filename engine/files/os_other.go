// SPDX-License-Identifier: MIT

//go:build !unix

package files

import "os"

const closeBeforeRename = true // Windows renames no open file

func lock(*os.File) error { return nil }

func syncFolder(string) error { return nil }
