// SPDX-License-Identifier: MIT

package engine

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// This file refuses wrong calls: a mistake in a program panics, with the line of the program that made it and with both of the
// numbers that do not fit; what is too much for a device becomes an error, which Build returns.

// misuse panics with a message that begins with where the mistake was made: the nearest caller outside this package and kernels.
func misuse(format string, args ...any) {
	panic(Caller() + "engine: " + fmt.Sprintf(format, args...))
}

// Caller returns where the nearest caller outside this package and kernels is, "folder/file.go:123: ", for a message; "" where
// nobody else has called.
func Caller() string {
	_, here, _, _ := runtime.Caller(0)
	house := filepath.Dir(filepath.Dir(here))
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		// By files: a closure of an op that was inlined has the name of a function of the caller's.
		dir, err := filepath.Rel(house, filepath.Dir(f.File))
		inside := err == nil && (dir == "engine" || dir == "kernels")
		if f.File != "" && !strings.HasPrefix(f.Function, "runtime.") && (!inside || strings.HasSuffix(f.File, "_test.go")) {
			return fmt.Sprintf("%s/%s:%d: ", filepath.Base(filepath.Dir(f.File)), filepath.Base(f.File), f.Line)
		}
		if !more {
			return ""
		}
	}
}

// alive panics if the device is closed.
func (d *Device) alive(what, label string) {
	if d.closed {
		misuse("%s %q: device %v is closed", what, label, d.info)
	}
}

// open panics unless commands can still be added.
func (p *Program) open() {
	if p.built || p.closed {
		misuse("program %q is built or closed: nothing can be added to it", p.label)
	}
	p.dev.alive("program", p.label)
}

// ready panics unless the program can run.
func (p *Program) ready() {
	if !p.built || p.closed {
		misuse("program %q is not built, or closed: it cannot run", p.label)
	}
	p.dev.alive("program", p.label)
}

// owns panics unless the range is a part of a buffer that the device has, or of a temporary of the program.
func (p *Program) owns(command string, r Range) {
	b := r.buffer
	switch {
	case b == nil:
		misuse("%s: %s: a range of no buffer", p.label, command)
	case b.dev != p.dev:
		misuse("%s: %s: %v is of another device, %v, and the program of %v", p.label, command, r, b.dev.info, p.dev.info)
	case b.temporaryOf != nil && b.temporaryOf != p:
		misuse("%s: %s: %v is a temporary of another program, %q", p.label, command, r, b.temporaryOf.label)
	case b.closed:
		misuse("%s: %s: %v is of a buffer that was closed", p.label, command, r)
	case r.size <= 0:
		misuse("%s: %s: %v is empty", p.label, command, r)
	}
}

// lasting is owns for what the host writes or reads, which no temporary keeps.
func (p *Program) lasting(command string, r Range) {
	p.owns(command, r)
	if r.buffer.temporaryOf != nil {
		misuse("%s: %s: %v is a temporary: it holds nothing before or after the program runs", p.label, command, r)
	}
}

// Fail has Build return an error instead of building: what was recorded cannot run on this device. The first one counts. Kernels go
// on recording, so that they need not look for it.
func (p *Program) Fail(err error) {
	p.open()
	if p.failed == nil {
		p.failed = err
	}
}
