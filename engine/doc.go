// SPDX-License-Identifier: MIT

// Package engine runs compute shaders on a Vulkan device.
//
// Six nouns: an Instance finds devices; a Device owns memory and pipelines; a Buffer is a piece of its memory; a Program is a fixed list of
// dispatches, copies and fills that is recorded once, placed and synchronized by Build, and replayed by Submit; a
// Submission is one replay under way; a Range is the part of a buffer that a command reads or writes.
//
// A caller of Program.Dispatch states what each dispatch reads and writes and nothing else: where intermediates lie in
// memory, where barriers go and where the work is cut into submissions follows from that (plan.go).
//
// Between runs two things are remembered of a device: its compiled pipelines, which lie in Options.Cache (pipelines.go), and which
// of several choices for some work is the fastest there (choices.go), which callers measure and keep.
//
// Several devices may be open at once, from one instance or from several (Open makes one for its device). What belongs to one is shared
// with no other, so each may have a goroutine of its own. The process shares the Vulkan loader and the list of validation messages.
//
// This is the only package that imports vulkan, cgo or unsafe. Finding and opening devices goes through github.com/vulkan-go/vulkan
// (instance.go, info.go, device.go). Every call on an open device goes through that device's own table of functions in a small C shim
// (calls.go, queue.go and record.go; shim.h, instance.c, device.c).
//
// Misuse (a range out of bounds, a closed buffer, a command after Build) panics where it is made, with the line of the caller outside
// this package and kernels (check.go). What the environment does (no driver, no memory, a lost device) comes back as an error that
// wraps one of the Err values; work that is too much for a device as a LimitError, from NewBuffer or from Build.
package engine
