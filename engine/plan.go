// SPDX-License-Identifier: MIT

package engine

/*
#include "shim.h"
*/
import "C"

import (
	"cmp"
	"slices"
	"time"
)

// This file is what turns a list of commands into a schedule: in which order they run, where temporaries lie, where barriers go,
// where one submission ends and the next begins. It is pure: no call in it reaches Vulkan.

// Commands of one group have nothing to wait for among each other; between two groups stands a barrier. A device runs a group's
// commands side by side, so fewer groups leave fewer gaps in which it idles.

// lookahead is how many commands that must wait schedule may pass over to find one that need not. It is small, so that what is made
// early does not wait long in memory, and what checkpointing of blocks computes again is not computed long before its use.
const lookahead = 8

// schedule puts the commands into groups and in their order. A group begins with the first command that is left; those after it join
// as long as they touch nothing that the group writes and write nothing that it touches, and the same for commands passed over. So
// whatever depends on each other keeps its order, and equal lists of commands give equal schedules.
func (p *Program) schedule() {
	if p.dev.inOrder {
		for i := range p.commands {
			p.commands[i].group = i
		}
		return
	}
	out := make([]command, 0, len(p.commands))
	left := slices.Clone(p.commands)
	for group, next := 0, 0; next < len(left); group++ {
		var in, over usage
		var passed []command
		for ; next < len(left) && len(passed) <= lookahead; next++ {
			c := left[next]
			if in.conflicts(&c) || over.conflicts(&c) {
				over.add(&c)
				passed = append(passed, c)
			} else {
				in.add(&c)
				c.group = group
				out = append(out, c)
			}
		}
		next -= copy(left[next-len(passed):], passed) // back to the front
	}
	p.commands = out
}

// A usage is what some commands touch, by buffer: temporaries have no place yet.
type usage struct{ reads, writes []Range }

func (u *usage) add(c *command) {
	for _, b := range c.Bind {
		if !b.read.none() {
			u.reads = append(u.reads, b.Range)
		}
		if !b.write.none() {
			u.writes = append(u.writes, b.Range)
		}
	}
}

// conflicts reports whether a command must wait for those that the usage is of.
func (u *usage) conflicts(c *command) bool {
	meet := func(list []Range, r Range) bool {
		return slices.ContainsFunc(list, func(o Range) bool {
			return o.buffer == r.buffer && o.offset < r.offset+r.size && r.offset < o.offset+o.size
		})
	}
	return slices.ContainsFunc(c.Bind, func(b Binding) bool {
		return meet(u.writes, b.Range) || !b.write.none() && meet(u.reads, b.Range)
	})
}

// place gives every temporary an offset in an arena so that two that live at the same time never overlap, and returns
// the arena's size. A temporary lives from the first group that names it to the last. Largest first, each at the lowest
// offset that is free for its whole life ("greedy by size", Pisarchyk and Lee, arXiv 2001.03288). The arena is cut at
// multiples of limit into buffers, and no temporary, each of which is at most that large (Temp), lies across a cut.
func (p *Program) place() (size, limit int64) {
	limit = p.dev.info.MaxAllocation / align * align
	lives := p.lives()
	slices.SortStableFunc(lives, func(a, b life) int { return cmp.Compare(b.size, a.size) })
	var placed []life // sorted by offset
	for _, l := range lives {
		if l.first < 0 {
			continue
		}
		want, at := alignUp(l.size), int64(0)
		fit := func(at int64) int64 { // the lowest offset >= at that does not lie across a cut
			if at/limit != (at+want-1)/limit {
				return (at + limit - 1) / limit * limit
			}
			return at
		}
		for _, o := range placed {
			if o.last < l.first || l.last < o.first || o.offset+alignUp(o.size) <= at {
				continue
			}
			if at+want <= o.offset {
				break
			}
			at = fit(o.offset + alignUp(o.size))
		}
		l.offset = at
		i, _ := slices.BinarySearchFunc(placed, at, func(o life, at int64) int { return cmp.Compare(o.offset, at) })
		placed = slices.Insert(placed, i, l)
		size = max(size, at+want)
	}
	return size, limit
}

// A life is when a temporary holds something: from the first group with a command that names it to the last; first is -1 where none
// does.
type life struct {
	*Buffer
	first, last int
	written     []rows // bytes from the buffer's start
}

// lives returns the temporaries' lives. It panics where a command reads what none before it has written.
func (p *Program) lives() []life {
	index := make(map[*Buffer]int, len(p.temps))
	lives := make([]life, len(p.temps))
	for i, t := range p.temps {
		index[t], lives[i] = i, life{t, -1, -1, nil}
		t.offset = -1
	}
	for _, c := range p.commands {
		for _, b := range c.Bind { // what a command reads was written by those before it
			if b.buffer.temporaryOf == nil {
				continue
			}
			if left := missing(b.read.moved(b.offset), lives[index[b.buffer]].written); len(left) > 0 {
				lost := slices.MinFunc(left, func(a, b rows) int { return cmp.Compare(a.first, b.first) })
				misuse("%s: %s reads temporary %v, of which nothing has written the bytes from %d to %d",
					p.label, c.Shader, b.Range, lost.first, lost.first+lost.width-1)
			}
		}
		for _, b := range c.Bind {
			if b.buffer.temporaryOf == nil {
				continue
			}
			l := &lives[index[b.buffer]]
			if l.first < 0 {
				l.first = c.group
			}
			l.last = c.group
			if w := b.write.moved(b.offset); len(missing(w, l.written)) > 0 {
				l.written = append(l.written, w)
			}
		}
	}
	return lives
}

// An access is a range of a block that commands since the last barrier have touched: all that was bound, though a launch may touch
// some rows of it only. The validation layer sees no more, and would report two launches without a barrier that write columns
// beside each other.
type access struct {
	block    *block
	from, to int64
}

func (b Binding) access() access {
	at := b.buffer.offset + b.offset
	return access{b.buffer.block, at, at + b.size}
}

func overlaps(list []access, a access) bool {
	for _, b := range list {
		if a.block == b.block && a.from < b.to && b.from < a.to {
			return true
		}
	}
	return false
}

// Stages are kinds of work that a barrier orders, as VkPipelineStageFlags.
type stages uint32

const (
	compute  stages = 0x800
	transfer stages = 0x1000
	host     stages = 0x4000
)

// stage returns the kind of work that a command is.
func (c *command) stage() stages {
	if c.kind == C.JITVK_DISPATCH {
		return compute
	}
	return transfer
}

// A barrier makes what was written at the stages from, before it, visible at the stages to, after it; the latter wait for the former.
// The zero barrier is none.
type barrier struct{ from, to stages }

// wide is what every barrier was before they were as narrow as what they order: JITVK_BARRIERS=wide compares.
var wide = barrier{compute | transfer, compute | transfer | host}

// barrier returns the barrier itself, or the wide one in its place.
func (d *Device) barrier(from, to stages) barrier {
	if d.wide && from != 0 {
		return wide
	}
	return barrier{from, to}
}

// synchronize puts a barrier before each command that must wait for those before it: one that reads what was written, writes what was
// written, or writes what was read since the last barrier. It looks at memory, which schedule cannot know, and so is right whatever
// the order. Barriers order across the cuts between submissions; what was submitted before the program is ordered by the barrier in
// Submit's prologue.
//
// A barrier orders the kinds of work that there are between the barrier before it and itself, and those between it and the next. That is
// enough for commands further apart, too: what one barrier's work waits at is what the next one waits for, so they form a chain.
func (p *Program) synchronize() {
	var reads, writes []access
	starts := []int{0} // of groups, then the end
	for i, c := range p.commands {
		wait := false
		for _, b := range c.Bind {
			a := b.access()
			wait = wait || overlaps(writes, a) || !b.write.none() && overlaps(reads, a)
		}
		if wait {
			starts, reads, writes = append(starts, i), reads[:0], writes[:0]
		}
		for _, b := range c.Bind {
			if !b.read.none() {
				reads = append(reads, b.access())
			}
			if !b.write.none() {
				writes = append(writes, b.access())
			}
		}
	}
	starts = append(starts, len(p.commands))
	var before stages
	for i, first := range starts[:len(starts)-1] {
		var now stages
		for _, c := range p.commands[first:starts[i+1]] {
			now |= c.stage()
		}
		if i > 0 {
			p.commands[first].barrier = p.dev.barrier(before, now)
		}
		before = now
	}
}

// defaultSubmission is how long one submission may take, so that no driver's watchdog (2 s on Windows and on recent Linux) fires and a
// desktop on the same GPU stays alive.
const defaultSubmission = 250 * time.Millisecond

// assumedPace is how much work a second a device does that has not been timed: that of a slow integrated GPU, and twice as much, which
// leaves it half a second.
const assumedPace = 200e9

// work is what a command takes, as far as it can be told beforehand: its operations, a byte moved counting as ten.
func (c *command) work() float64 { return c.FLOPs + 10*c.bytes }

// pieces returns where the commands are cut so that no piece takes longer than a submission may on a device of a pace; a command that
// takes longer is a piece by itself.
func (p *Program) pieces(pace float64) (cuts []int) {
	cuts = []int{0}
	most, sum := pace*p.dev.submission.Seconds(), 0.0
	for i := range p.commands {
		w := p.commands[i].work()
		if sum > 0 && sum+w > most {
			cuts, sum = append(cuts, i), 0
		}
		sum += w
	}
	return append(cuts, len(p.commands))
}

// cut splits the commands into submissions: by the shortest time that a replay has taken, once there was one.
func (p *Program) cut() {
	pace := assumedPace
	if p.best > 0 {
		work := 0.0
		for i := range p.commands {
			work += p.commands[i].work()
		}
		pace = work / p.best.Seconds()
	}
	p.cuts = p.pieces(pace)
}

// replayed takes note of how long a replay took, from when it was submitted until somebody had waited for it: no less than the device
// needed. It reports whether there are other cuts now, as there are when the time is much the shortest so far.
func (p *Program) replayed(took time.Duration) bool {
	if p.dev.info.CPU() || took <= 0 || p.best > 0 && 4*took > 3*p.best { // a CPU driver has no watchdog
		return false
	}
	before := len(p.cuts)
	p.best = took
	p.cut()
	return len(p.cuts) != before
}

// A Cost is what a command takes.
type Cost struct {
	Shader       string
	FLOPs, Bytes float64 // Bytes: the least that it moves, what it reads, once, and what it writes
}

// A Plan is what Build has made of a program.
type Plan struct {
	Commands []Cost // in their order
	Barriers int
}

// Plan returns what Build has made of the program.
func (p *Program) Plan() (out Plan) {
	for _, c := range p.commands {
		out.Commands = append(out.Commands, Cost{c.Shader, c.FLOPs, c.bytes})
		if c.barrier != (barrier{}) {
			out.Barriers++
		}
	}
	return out
}

// Submissions returns how many a replay takes on a device that does so many floating point operations a second.
func (p *Program) Submissions(rate float64) int { return len(p.pieces(rate)) - 1 }
