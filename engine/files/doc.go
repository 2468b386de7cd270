// SPDX-License-Identifier: MIT

// Package files writes files that are either whole or not there.
//
// A file is written beside its place as PATH.tmp, flushed to the disk and renamed; only then does it replace an earlier file
// of that name. A program killed in between leaves the earlier file as it was and at most one PATH.tmp, which the next write
// of the same file takes over. While one process writes, a second one that wants the same file gets ErrBusy.
//
// AtomicWrite serves nearly everything; Create is for files whose first bytes are known last; ReadFile reads back. Errors are of the
// environment (a full disk, a folder without permission), one line each, and say what to do. CacheDir is the folder for what can be made
// again. Imports nothing of ours.
package files
