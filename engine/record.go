// SPDX-License-Identifier: MIT

package engine

/*
#include "shim.h"
*/
import "C"

import "unsafe"

// This file turns a planned program into Vulkan's objects. Each launch gets a descriptor set, which names the buffers that it is
// bound to; each piece of the program becomes a list of low-level commands, which the shim records in one call.

// record makes pipelines, descriptor sets and command buffers.
func (p *Program) record() error {
	d := p.dev
	if err := d.makePipelines(p.commands); err != nil {
		return err
	}
	var err error
	if p.sets, err = p.bindSets(); err != nil {
		return err
	}
	if p.profile {
		if p.stamps, err = d.createStampPool(len(p.commands) + 1); err != nil {
			return err
		}
	}
	return p.recordPieces()
}

// recordPieces records a command buffer for each submission. Those that there were stay until Close, as they may be under way.
func (p *Program) recordPieces() error {
	buffers, err := p.dev.compute.commandBuffers(len(p.cuts) - 1)
	if err != nil {
		return err
	}
	p.retired, p.buffers = append(p.retired, p.buffers...), buffers
	for piece, cb := range p.buffers {
		if err := p.dev.recordInto(cb, p.lower(piece)); err != nil {
			return err
		}
	}
	return nil
}

// bindSets gives every launch a descriptor set with its buffers, and returns the sets by command; 0 where there is no launch.
func (p *Program) bindSets() ([]handle, error) {
	d := p.dev
	var launches []int
	var layouts []handle
	bindings := 0
	for i, c := range p.commands {
		if c.kind == C.JITVK_DISPATCH {
			launches, layouts, bindings = append(launches, i), append(layouts, d.layouts[len(c.Bind)].set), bindings+len(c.Bind)
		}
	}
	if len(launches) == 0 {
		return nil, nil
	}
	var err error
	if p.pool, err = d.createSetPool(len(launches), bindings); err != nil {
		return nil, err
	}
	allocated, err := d.allocateSets(p.pool, layouts)
	if err != nil {
		return nil, err
	}
	sets := make([]handle, len(p.commands))
	writes := make([]C.jitvk_write, 0, bindings)
	for n, i := range launches {
		sets[i] = allocated[n]
		for b, bind := range p.commands[i].Bind {
			reach := min(bind.size+d.slack, bind.buffer.size-bind.offset, d.info.MaxStorageBufferRange)
			writes = append(writes, C.jitvk_write{set: allocated[n], binding: C.uint32_t(b), buffer: bind.handle(), offset: bind.at(),
				_range: C.uint64_t(reach)})
		}
	}
	C.jitvk_update_sets(d.calls, unsafe.SliceData(writes), C.uint32_t(len(writes)))
	return sets, nil
}

// lower returns the low-level commands of one piece of the program.
func (p *Program) lower(piece int) []C.jitvk_cmd {
	first, end := p.cuts[piece], p.cuts[piece+1]
	cmds := make([]C.jitvk_cmd, 0, 2*(end-first)+2)
	stamp := func(n int) C.jitvk_cmd { return C.jitvk_cmd{kind: C.JITVK_STAMP, src: p.stamps, word: C.uint32_t(n)} }
	if p.profile && piece == 0 {
		cmds = append(cmds, C.jitvk_cmd{kind: C.JITVK_RESET_STAMPS, src: p.stamps, word: C.uint32_t(len(p.commands) + 1)}, stamp(0))
	}
	for i := first; i < end; i++ {
		c := &p.commands[i]
		switch {
		case p.profile: // which has them run one after another
			cmds = append(cmds, p.dev.barrier(compute|transfer, compute|transfer).command())
		case c.barrier != (barrier{}):
			cmds = append(cmds, c.barrier.command())
		}
		switch c.kind {
		case C.JITVK_DISPATCH:
			cmds = append(cmds, p.dev.launch(c, p.sets[i]))
		case C.JITVK_COPY:
			cmds = append(cmds, copyCommand(c.Bind[0].Range, c.Bind[1].Range))
		case C.JITVK_FILL:
			dst := c.Bind[0].Range
			cmds = append(cmds, C.jitvk_cmd{kind: C.JITVK_FILL, dst: dst.handle(), dst_off: dst.at(), size: C.uint64_t(dst.size),
				word: C.uint32_t(c.word)})
		}
		if p.profile {
			cmds = append(cmds, stamp(i+1))
		}
	}
	return cmds
}

// launch returns the command of a dispatch, whose pipeline and layout have been made.
func (d *Device) launch(c *command, set handle) C.jitvk_cmd {
	cmd := C.jitvk_cmd{kind: C.JITVK_DISPATCH, set: set, pipeline: d.pipelines[orderFor(c).key()], layout: d.layouts[len(c.Bind)].pipeline,
		x: C.uint32_t(c.Groups[0]), y: C.uint32_t(c.Groups[1]), z: C.uint32_t(c.Groups[2]), push_bytes: C.uint32_t(len(c.push))}
	for i, b := range c.push {
		cmd.push[i] = C.uchar(b)
	}
	return cmd
}

// handle returns the Vulkan buffer that a range lies in, and at where it starts there.
func (r Range) handle() handle { return r.buffer.block.buffer }
func (r Range) at() C.uint64_t { return C.uint64_t(r.buffer.offset + r.offset) }

func (b barrier) command() C.jitvk_cmd {
	return C.jitvk_cmd{kind: C.JITVK_BARRIER, x: C.uint32_t(b.from), y: C.uint32_t(b.to)}
}

func copyCommand(src, dst Range) C.jitvk_cmd {
	return C.jitvk_cmd{kind: C.JITVK_COPY, src: src.handle(), src_off: src.at(), dst: dst.handle(), dst_off: dst.at(),
		size: C.uint64_t(src.size)}
}

// recordInto records commands, which take the place of those that the command buffer had.
func (d *Device) recordInto(cb commandBuffer, cmds []C.jitvk_cmd) error {
	return resultError("recording a command buffer", int32(C.jitvk_record(d.calls, cb, unsafe.SliceData(cmds), C.uint32_t(len(cmds)))))
}

// barriers returns n barrier commands, for the benchmark of recording (cgo types cannot be named in tests).
func barriers(n int) []C.jitvk_cmd {
	out := make([]C.jitvk_cmd, n)
	for i := range out {
		out[i] = barrier{compute, compute}.command()
	}
	return out
}
