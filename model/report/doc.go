// SPDX-License-Identifier: MIT

// Package report is what a run shows: its log.csv (Log), the picture of
// its loss (SaveLoss), and on the screen a Header and a Progress.
//
// Everything here looks on: nothing that a run computes depends on it, and of all it writes only the last two columns of the log
// (images_per_s, seconds) differ between two runs with one seed. Pictures and configurations are whole or not there. Errors
// are of the disk and say what to do; misuse panics. Imports engine/files. Read log.go first.
package report
