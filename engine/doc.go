// SPDX-License-Identifier: MIT

// Package engine runs compute shaders on a Vulkan device.
//
// Five nouns: a Device owns memory and pipelines; a Buffer is a piece of its memory; a Program is a fixed list of
// dispatches, copies and fills that is recorded once, placed and synchronized by Build, and replayed by Submit; a
// Submission is one replay under way; a Range is the part of a buffer that a command reads or writes.
//
// A caller of Program.Dispatch states what each dispatch reads and writes and nothing else: where intermediates lie in
// memory, where barriers go and where the work is cut into submissions follows from that (plan.go).
//
// Between runs two things are remembered of a device: its compiled pipelines, which lie in Options.Cache (pipelines.go), and which
// of several choices for some work is the fastest there (choices.go), which callers measure and keep.
//
// This is the only package that imports vulkan, cgo or unsafe. Setup goes through github.com/vulkan-go/vulkan; what that
// binding lacks, and the recording of commands, goes through a small C shim (shim.c).
//
// Misuse (an offset out of range, a command after Build) panics. What the environment does (no driver, no memory, a
// lost device) comes back as an error that wraps one of the Err values.
package engine
