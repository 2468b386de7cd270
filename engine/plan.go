// SPDX-License-Identifier: MIT

package engine

import (
	"cmp"
	"slices"
)

// This file is what turns a list of commands into a schedule: where temporaries lie, where barriers go, where one
// submission ends and the next begins. It is pure: no call in it reaches Vulkan.

// place gives every temporary an offset in an arena so that two that live at the same time never overlap, and returns
// the arena's size. A temporary lives from the first command that names it to the last. Largest first, each at the lowest
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

// A life is when a temporary holds something: from the first command that names it to the last; first is -1 where none does.
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
	for i, c := range p.commands {
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
				l.first = i
			}
			l.last = i
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

func overlaps(list []access, a access) bool {
	for _, b := range list {
		if a.block == b.block && a.from < b.to && b.from < a.to {
			return true
		}
	}
	return false
}

// synchronize marks the commands that must wait for those before them: one that reads what was written, writes what was
// written, or writes what was read since the last barrier. Barriers order across the cuts between submissions; what was
// submitted before the program is ordered by the barrier in Submit's prologue.
func (p *Program) synchronize() {
	var reads, writes []access
	for i := range p.commands {
		c := &p.commands[i]
		for _, b := range c.Bind {
			at := b.buffer.offset + b.offset
			a := access{b.buffer.block, at, at + b.size}
			if overlaps(writes, a) || !b.write.none() && overlaps(reads, a) {
				c.barrier = true
			}
		}
		if c.barrier {
			reads, writes = reads[:0], writes[:0]
		}
		for _, b := range c.Bind {
			at := b.buffer.offset + b.offset
			a := access{b.buffer.block, at, at + b.size}
			if !b.read.none() {
				reads = append(reads, a)
			}
			if !b.write.none() {
				writes = append(writes, a)
			}
		}
	}
}

// submissionFLOPs is how much estimated work one submission may hold before it is cut, so that no driver's watchdog
// (2 s on Windows and on recent Linux) fires: a slow integrated GPU at 100 GFLOP/s takes half a second for it.
const submissionFLOPs = 50e9

// cut splits the commands into submissions by estimated work; a byte moved counts as ten operations.
func (p *Program) cut() {
	p.cuts = []int{0}
	work := 0.0
	for i, c := range p.commands {
		w := c.FLOPs + 10*c.bytes
		if work > 0 && work+w > submissionFLOPs {
			p.cuts, work = append(p.cuts, i), 0
		}
		work += w
	}
	p.cuts = append(p.cuts, len(p.commands))
}
