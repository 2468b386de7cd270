// SPDX-License-Identifier: MIT

package engine

/*
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"time"
)

// Update is data that a submission puts into device memory before its first command: Data or, where the data would have to be put
// together first, what Fill writes. Fill is called once, before Submit returns, with the staging memory itself: dst has the size of To
// and holds whatever an earlier submission left there, so all of it is to be written and none of it read.
type Update struct {
	To   Range
	Data []byte
	Fill func(dst []byte)
}

// bytes is how much is put there.
func (u Update) bytes() int64 {
	if u.Fill != nil && u.Data == nil {
		return u.To.size
	}
	return int64(len(u.Data))
}

// A slot holds what one submission in flight needs: with two of them the host prepares one step while the device runs
// the one before.
type slot struct {
	staging  *Buffer // writes, then reads
	prologue commandBuffer
	epilogue commandBuffer
	fence    handle
	pending  *Submission
}

// Submission is one replay of a program under way.
type Submission struct {
	program *Program
	slot    *slot
	reads   [][]byte // views of the slot's staging memory until Wait copies them
	views   bool     // they stay views, good until the slot's next submission
	sent    time.Time
	done    bool
	err     error
}

// Submit copies writes to the device, replays the program and copies reads back, in this order on the device's queue.
// The data of writes is taken before Submit returns. It waits only when two submissions of this program are under way.
func (p *Program) Submit(writes []Update, reads []Range) (*Submission, error) {
	p.ready()
	for _, b := range p.uses {
		p.owns("a command", b.All())
	}
	total := int64(0)
	for _, w := range writes {
		if w.Fill != nil && w.Data != nil {
			misuse("%s: write to %v has both Data (%d bytes) and Fill: one of them", p.label, w.To, len(w.Data))
		}
		p.lasting("write", w.To)
		if w.bytes() != w.To.size {
			misuse("%s: write of %d bytes to the %d of %v", p.label, w.bytes(), w.To.size, w.To)
		}
		total += alignUp(w.To.size)
	}
	for _, r := range reads {
		p.lasting("read", r)
		total += alignUp(r.size)
	}
	if p.dev.dryRun {
		return nil, fmt.Errorf("engine: program %q: %w", p.label, ErrDryRun)
	}
	d, s := p.dev, &p.slots[p.next]
	p.next = 1 - p.next
	if s.pending != nil {
		s.pending.finish()
	}
	if err := s.prepare(d, p.label, total); err != nil {
		return nil, err
	}
	// Whatever the queue was given before, by this program or another, comes first. What the host writes, into staging memory, a
	// submission sees by itself; what it reads needs a barrier at the end.
	const device = compute | transfer
	at, before := int64(0), []C.jitvk_cmd{d.barrier(device, device).command()}
	for _, w := range writes {
		r := s.staging.Range(at, w.To.size)
		if w.Fill != nil {
			w.Fill(r.host())
		} else {
			copy(r.host(), w.Data)
		}
		before = append(before, copyCommand(r, w.To))
		at += alignUp(w.To.size)
	}
	if len(writes) > 0 {
		before = append(before, d.barrier(transfer, device).command())
	}
	sub := &Submission{program: p, slot: s}
	var after []C.jitvk_cmd
	if len(reads) > 0 {
		after = append(after, d.barrier(device, transfer).command())
	}
	for _, r := range reads {
		to := s.staging.Range(at, r.size)
		after = append(after, copyCommand(r, to))
		sub.reads = append(sub.reads, to.host())
		at += alignUp(r.size)
	}
	if len(reads) > 0 {
		after = append(after, d.barrier(transfer, host).command())
	}
	if p.recut {
		if err := p.recordPieces(); err != nil {
			return nil, err
		}
		p.recut = false
	}
	if err := d.recordInto(s.prologue, before); err != nil {
		return nil, err
	}
	if err := d.recordInto(s.epilogue, after); err != nil {
		return nil, err
	}
	sub.sent = time.Now()
	if err := p.send(s); err != nil {
		return nil, err
	}
	s.pending = sub
	return sub, nil
}

// send gives the queue the program's pieces. The slot's prologue goes with the first and its epilogue with the last; pieces between go
// alone.
func (p *Program) send(s *slot) error {
	d, pieces := p.dev, p.buffers
	for i, cb := range pieces {
		var group []commandBuffer
		fence := handle(0)
		if i == 0 {
			group = append(group, s.prologue)
		}
		group = append(group, cb)
		if i == len(pieces)-1 {
			group, fence = append(group, s.epilogue), s.fence
		}
		if err := d.compute.submit(group, fence); err != nil {
			return errors.Join(err, d.waitIdle()) // pieces before this one may still use the slot
		}
	}
	return nil
}

// host returns the mapped bytes of a host-visible range.
func (r Range) host() []byte {
	at := r.buffer.offset + r.offset
	return r.buffer.block.mapped[at : at+r.size : at+r.size]
}

// prepare makes the slot ready for a submission that stages total bytes.
func (s *slot) prepare(d *Device, label string, total int64) error {
	if s.prologue == nil {
		cbs, err := d.compute.commandBuffers(2)
		if err != nil {
			return err
		}
		s.prologue, s.epilogue = cbs[0], cbs[1]
	}
	if s.fence == 0 {
		var err error
		if s.fence, err = d.createFence(); err != nil {
			return err
		}
	}
	if s.staging == nil || s.staging.size < total {
		s.staging.Close()
		var err error
		if s.staging, err = d.newHost(label+" staging", max(total, align)); err != nil {
			return err
		}
	}
	return nil
}

func (s *slot) close(d *Device) {
	if s.prologue != nil {
		d.compute.free([]commandBuffer{s.prologue, s.epilogue})
	}
	d.destroy(kindFence, s.fence)
	s.staging.Close()
	*s = slot{}
}

// Wait returns once the submission has finished, with what was read back: one slice a range, the caller's own. It can be
// called again, and after the program was closed.
func (s *Submission) Wait() ([][]byte, error) {
	s.finish()
	return s.reads, s.err
}

func (s *Submission) finish() {
	if s.done {
		return
	}
	s.program.dev.alive("program", s.program.label)
	s.done = true
	s.err = s.program.dev.waitFence(s.slot.fence)
	s.slot.pending = nil
	if s.err != nil {
		s.reads = nil
		return
	}
	if s.program.replayed(time.Since(s.sent)) {
		s.program.recut = true
	}
	if s.views {
		return
	}
	for i, r := range s.reads {
		s.reads[i] = append([]byte(nil), r...)
	}
}

// wait finishes all submissions of the program.
func (p *Program) wait() {
	for i := range p.slots {
		if s := p.slots[i].pending; s != nil {
			s.finish()
		}
	}
}

// Run submits the program as it is and waits for it.
func (p *Program) Run() error {
	s, err := p.Submit(nil, nil)
	if err == nil {
		_, err = s.Wait()
	}
	return err
}

// Once records a program, runs it and closes it.
func (d *Device) Once(label string, record func(p *Program)) error {
	p := NewProgram(d, label)
	defer p.Close()
	record(p)
	if err := p.Build(); err != nil {
		return err
	}
	return p.Run()
}

// Timing is one command of a profiled program.
type Timing struct {
	Shader string
	Time   time.Duration
	FLOPs  float64
	Bytes  float64 // the least that it moves: what it reads, once, and what it writes
}

// Timings returns how long each command of the last replay took on the device. The program was built with Profile and
// has been submitted.
func (p *Program) Timings() ([]Timing, error) {
	if !p.profile {
		misuse("program %q was not built with Profile", p.label)
	}
	p.ready()
	p.wait()
	stamps := make([]uint64, len(p.commands)+1)
	written, err := p.dev.readStamps(p.stamps, stamps)
	if err != nil {
		return nil, err
	}
	if !written {
		misuse("program %q has not been submitted: it has no timings", p.label)
	}
	out := make([]Timing, len(p.commands))
	valid := ^uint64(0) >> (64 - p.dev.compute.stampBits) // the others are undefined, and the counter wraps within these
	for i, c := range p.commands {
		out[i] = Timing{c.Shader, time.Duration(float64((stamps[i+1]-stamps[i])&valid) * p.dev.info.TimestampPeriod), c.FLOPs, c.bytes}
	}
	return out, nil
}
