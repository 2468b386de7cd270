// SPDX-License-Identifier: MIT

// Package run describes a training run, for the program that trains and for those that read what came of it: its configuration
// (config.go), the presets to begin with (presets.go), the command line (parse.go), what a checkpoint says of the run it belongs
// to (meta.go), and its folder (folder.go). It computes nothing. It may import model and what lies below.
package run
