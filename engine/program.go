// SPDX-License-Identifier: MIT

package engine

/*
#include "shim.h"
*/
import "C"

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// maxPush is the size of a push-constant block that every Vulkan device takes, in bytes.
const maxPush = 128

// Binding is a range as a shader sees it: what is bound to binding number i, and which of its bytes are read and written.
type Binding struct {
	Range
	read, write rows // bytes from the range's start
	nothing     bool
}

// Read binds a range that the shader only reads.
func Read(r Range) Binding { return Binding{Range: r, read: oneRow(0, r.size)} }

// Write binds a range that the shader only writes.
func Write(r Range) Binding { return Binding{Range: r, write: oneRow(0, r.size)} }

// ReadWrite binds a range that the shader reads and writes.
func ReadWrite(r Range) Binding { return Read(r).And(Write(r)) }

// Rows says that the shader touches no more of the range than n runs of width bytes, one every stride bytes, the first of them
// first bytes into the range. Of (q | k | v), three heads of 64 floats a token, it reads k with
//
//	engine.Read(qkv).Rows(256, 256, 768, tokens)
func (b Binding) Rows(first, width, stride, n int64) Binding {
	inside := first >= 0 && width > 0 && n > 0 && width <= b.size-first
	if n > 1 {
		inside = inside && stride >= width && n-1 <= (b.size-first-width)/stride
	}
	if !inside {
		misuse("%d rows of %d bytes, one every %d, from %d on, do not lie inside the %d bytes of %v", n, width, stride, first, b.size,
			b.Range)
	}
	part := rowsOf(first, width, stride, n)
	if !b.read.none() {
		b.read = part
	}
	if !b.write.none() {
		b.write = part
	}
	return b
}

// And binds one range of which one part is read and another written: b is a Read and other a Write, or the other way round.
func (b Binding) And(other Binding) Binding {
	if b.Range != other.Range || !b.read.none() && !other.read.none() || !b.write.none() && !other.write.none() {
		misuse("And joins a Read and a Write of one range, not of %v and %v, and no two of a kind", b.Range, other.Range)
	}
	if b.read.none() {
		b.read = other.read
	} else {
		b.write = other.write
	}
	return b
}

// Nothing is bound to a number that the shader declares and does not use in this launch: a bias that there is none of. It is
// neither read nor written. Vulkan wants a buffer there all the same; Dispatch gives it one that the launch holds anyway.
var Nothing = Binding{nothing: true}

// bound returns the launch's bindings with something in each place. What stands in for Nothing is what the shader writes, if
// there is such: the validation layer sees what a shader declares, not what it leaves alone, and takes an access to a range that
// the launch writes for no more than that, while two launches that share a buffer of zeros would seem to race for it.
func bound(bind []Binding) []Binding {
	standIn := slices.IndexFunc(bind, func(b Binding) bool { return !b.write.none() })
	if standIn < 0 {
		standIn = slices.IndexFunc(bind, func(b Binding) bool { return !b.nothing })
	}
	out := slices.Clone(bind)
	for i, b := range out {
		if b.nothing && standIn >= 0 {
			out[i] = Binding{Range: bind[standIn].Range}
		}
	}
	return out
}

// Dispatch is one launch of a shader.
type Dispatch struct {
	Shader string    // name of the embedded SPIR-V: the source's path under shaders/ without ".comp"
	Spec   []uint32  // specialization constants 0, 1, 2, …
	Groups [3]int    // workgroups; 0 means 1
	Push   any       // struct of 32-bit fields, at most 128 bytes, or nil
	Bind   []Binding // binding 0, 1, 2, … of set 0
	FLOPs  float64   // floating point operations, for profiles and for cutting submissions

	bytes float64
}

// A command is a dispatch, a copy or a fill, with the ranges it touches.
type command struct {
	Dispatch        // Shader is "copy" or "fill" for the other two
	kind     uint32 // one of JITVK_DISPATCH, JITVK_COPY, JITVK_FILL
	word     uint32
	push     []byte
	group    int     // see schedule
	barrier  barrier // before this command
}

// Program is a list of commands that is recorded once and submitted many times.
type Program struct {
	dev      *Device
	label    string
	commands []command
	temps    []*Buffer
	failed   error // Fail's
	built    bool
	closed   bool
	profile  bool

	arena   []*Buffer       // where the temporaries lie
	cuts    []int           // commands[cuts[i]:cuts[i+1]] is one submission
	best    time.Duration   // the shortest replay so far
	recut   bool            // the command buffers are of other cuts
	uses    []*Buffer       // by commands, other than temporaries
	buffers []commandBuffer // one for each submission
	retired []commandBuffer // of other cuts; they may be under way
	pool    handle          // of the sets
	sets    []handle        // descriptor sets, by command
	stamps  handle
	slots   [2]slot
	next    int // slot of the next submission
}

// NewProgram starts an empty program.
func NewProgram(d *Device, label string) *Program {
	if d == nil {
		misuse("program %q on no device", label)
	}
	d.alive("program", label)
	return &Program{dev: d, label: label}
}

// Info returns what the program's device is, for kernels to choose their shape by.
func (p *Program) Info() Info { return p.dev.info }

// Temp returns a buffer that is the program's own: it has contents only from the first command that writes it to the
// last that reads it, and may share memory with other temporaries outside that time.
func (p *Program) Temp(label string, size int64) *Buffer {
	p.open()
	if size <= 0 {
		misuse("%s: temporary %q of %d bytes: at least 1 wanted", p.label, label, size)
	}
	if err := p.dev.fits(label, size); err != nil {
		p.Fail(fmt.Errorf("%s: %w", p.label, err))
	}
	b := &Buffer{dev: p.dev, label: label, size: size, temporaryOf: p}
	p.temps = append(p.temps, b)
	return b
}

// maxGroups is how many workgroups every device takes in each of three dimensions.
const maxGroups = 65535

// Dispatch adds a launch of a shader.
func (p *Program) Dispatch(d Dispatch) {
	p.open()
	for i, g := range d.Groups {
		if g < 0 {
			misuse("%s: %d workgroups in dimension %d of %v", d.Shader, g, i, d.Groups)
		}
		d.Groups[i] = max(g, 1)
		if g > maxGroups {
			p.Fail(&LimitError{LimitGroups, d.Shader, int64(g), maxGroups, p.dev.info.Name})
		}
	}
	if len(d.Spec) > C.JITVK_MAX_SPEC || len(d.Bind) == 0 {
		misuse("%s: %d specialization constants, at most %d; %d bindings, at least 1", d.Shader, len(d.Spec), C.JITVK_MAX_SPEC, len(d.Bind))
	}
	c := command{Dispatch: d, kind: C.JITVK_DISPATCH, push: pushBytes(d)}
	c.Bind = bound(d.Bind)
	for i, b := range c.Bind {
		p.owns(d.Shader, b.Range)
		if b.offset%align != 0 {
			misuse("%s: binding %d: %v begins at byte %d, which is no multiple of %d", d.Shader, i, b.Range, b.offset, align)
		}
		if limit := p.dev.info.MaxStorageBufferRange; b.size > limit {
			p.Fail(&LimitError{LimitBinding, fmt.Sprintf("%s: %v", d.Shader, b.Range), b.size, limit, p.dev.info.Name})
		}
	}
	p.fitsShader(&c)
	c.bytes = traffic(c.Bind)
	p.commands = append(p.commands, c)
}

// pushBytes returns a launch's push constants as the shader has them.
func pushBytes(d Dispatch) []byte {
	if d.Push == nil {
		return nil
	}
	out, err := binary.Append(nil, binary.LittleEndian, d.Push)
	if err != nil || len(out) > maxPush || len(out)%4 != 0 {
		misuse("%s: push constants %T of %d bytes: fixed-size fields wanted, a multiple of 4 bytes and at most %d (%v)",
			d.Shader, d.Push, len(out), maxPush, err)
	}
	return out
}

// traffic is the least that a shader with such bindings moves, in bytes: what it reads, each byte once, and what it writes. A
// range may be bound several times: with parts of it (views of one tensor), or with the same part in several roles.
func traffic(bind []Binding) float64 {
	total := int64(0)
	var reads, writes []rows
	for i, b := range bind {
		reads, writes = reads[:0], writes[:0]
		for _, before := range bind[:i] {
			if before.buffer == b.buffer {
				reads = append(reads, before.read.moved(before.offset-b.offset))
				writes = append(writes, before.write.moved(before.offset-b.offset))
			}
		}
		for _, r := range append(missing(b.read, reads), missing(b.write, writes)...) {
			total += r.bytes()
		}
	}
	return float64(total)
}

func (r Range) String() string {
	if r.buffer == nil {
		return "no buffer"
	}
	return fmt.Sprintf("%s[%d:%d]", r.buffer.label, r.offset, r.offset+r.size)
}

// Copy adds a copy of src to dst, which are of one size and do not overlap.
func (p *Program) Copy(dst, src Range) {
	p.open()
	p.owns("copy", src)
	p.owns("copy", dst)
	if dst.size != src.size {
		misuse("%s: copy of the %d bytes of %v to the %d of %v", p.label, src.size, src, dst.size, dst)
	}
	if dst.buffer == src.buffer && dst.offset < src.offset+src.size && src.offset < dst.offset+dst.size {
		misuse("%s: copy of %v to %v, which overlap", p.label, src, dst)
	}
	p.commands = append(p.commands, command{kind: C.JITVK_COPY, Dispatch: Dispatch{Shader: "copy", bytes: 2 * float64(src.size),
		Bind: []Binding{Read(src), Write(dst)}}})
}

// Fill adds a write of one 32-bit word over all of dst, whose offset and size are multiples of four bytes.
func (p *Program) Fill(dst Range, word uint32) {
	p.open()
	p.owns("fill", dst)
	if dst.size%4 != 0 || dst.offset%4 != 0 {
		misuse("%s: fill of %v, %d bytes from %d on: multiples of 4 wanted", p.label, dst, dst.size, dst.offset)
	}
	p.commands = append(p.commands, command{kind: C.JITVK_FILL, word: word, Dispatch: Dispatch{Shader: "fill", bytes: float64(dst.size),
		Bind: []Binding{Write(dst)}}})
}

// FLOPs returns the floating point operations of one replay, as the kernels estimated them.
func (p *Program) FLOPs() float64 {
	sum := 0.0
	for _, c := range p.commands {
		sum += c.FLOPs
	}
	return sum
}

// Len returns the number of commands.
func (p *Program) Len() int { return len(p.commands) }

// ArenaBytes returns the memory that the temporaries share; 0 before Build.
func (p *Program) ArenaBytes() int64 {
	var n int64
	for _, a := range p.arena {
		n += alignUp(a.size)
	}
	return n
}

// Profile makes Build put timestamps around every command, which then run one after another. Call it before Build.
func (p *Program) Profile() { p.open(); p.profile = true }

// Build places the temporaries, finds the barriers, makes the pipelines and records the command buffers. On a dry run
// it stops after the memory is planned. After an error the program holds nothing and can only be closed.
func (p *Program) Build() (err error) {
	p.open()
	if p.profile && !p.dev.dryRun && p.dev.compute.stampBits == 0 {
		return fmt.Errorf("engine: %s: %s has no timestamps: %w", p.label, p.dev.info.Name, ErrUnsupported)
	}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	if p.failed != nil {
		return p.failed
	}
	for _, c := range p.commands {
		for _, b := range c.Bind {
			p.owns(c.Shader, b.Range) // still
			if b.buffer.temporaryOf == nil && !slices.Contains(p.uses, b.buffer) {
				p.uses = append(p.uses, b.buffer)
			}
		}
	}
	p.schedule()
	size, limit := p.place()
	for at := int64(0); at < size; at += limit {
		a, err := p.dev.NewBuffer(p.label+" arena", min(limit, size-at))
		if err != nil {
			return err
		}
		p.arena = append(p.arena, a)
	}
	for _, t := range p.temps {
		if t.offset < 0 {
			continue // never used
		}
		a := p.arena[t.offset/limit]
		t.block, t.offset = a.block, a.offset+t.offset%limit
	}
	p.synchronize()
	p.cut()
	p.built = true
	switch {
	case p.dev.dryRun && p.dev.calls != nil:
		return p.dev.makePipelines(p.commands)
	case p.dev.dryRun:
		return nil
	}
	return p.record()
}

// Close waits for the program's submissions and gives back its memory and its command buffers. What was submitted can
// still be asked for its results.
func (p *Program) Close() {
	if p.built && !p.closed && !p.dev.dryRun {
		p.dev.alive("Close of program", p.label)
		p.wait()
		d := p.dev
		d.compute.free(p.buffers)
		d.compute.free(p.retired)
		for i := range p.slots {
			p.slots[i].close(d)
		}
		d.destroy(kindSetPool, p.pool)
		d.destroy(kindStampPool, p.stamps)
	}
	for _, a := range p.arena {
		a.Close()
	}
	p.closed, p.arena, p.commands = true, nil, nil
}
