// SPDX-License-Identifier: MIT

package engine

/*
#include "shim.h"
*/
import "C"

import (
	"unsafe"

	vk "github.com/vulkan-go/vulkan"
)

// record makes pipelines, descriptor sets and command buffers.
func (p *Program) record() error {
	d := p.dev
	err := d.makePipelines(p.commands)
	if err != nil {
		return err
	}
	sets, bindings := 0, 0
	for _, c := range p.commands {
		if c.kind == C.JITVK_DISPATCH {
			sets, bindings = sets+1, bindings+len(c.Bind)
		}
	}
	if sets > 0 {
		if p.sets, err = create("vkCreateDescriptorPool", func(h *vk.DescriptorPool) vk.Result {
			return vk.CreateDescriptorPool(d.device, &vk.DescriptorPoolCreateInfo{SType: vk.StructureTypeDescriptorPoolCreateInfo, MaxSets: uint32(sets),
				PoolSizeCount: 1, PPoolSizes: []vk.DescriptorPoolSize{{Type: vk.DescriptorTypeStorageBuffer, DescriptorCount: uint32(bindings)}}}, nil, h)
		}); err != nil {
			return err
		}
	}
	if p.profile {
		if p.stamps, err = create("vkCreateQueryPool", func(h *vk.QueryPool) vk.Result {
			return vk.CreateQueryPool(d.device, &vk.QueryPoolCreateInfo{SType: vk.StructureTypeQueryPoolCreateInfo,
				QueryType: vk.QueryTypeTimestamp, QueryCount: uint32(len(p.commands) + 1)}, nil, h)
		}); err != nil {
			return err
		}
	}
	var writes []C.jitvk_write
	low := make([][]C.jitvk_cmd, len(p.cuts)-1)
	for s := range low {
		var cmds []C.jitvk_cmd
		if p.profile && s == 0 {
			cmds = append(cmds, C.jitvk_cmd{kind: C.JITVK_RESET_STAMPS, src: C.uint64_t(handleOf(p.stamps)), word: C.uint32_t(len(p.commands) + 1)},
				C.jitvk_cmd{kind: C.JITVK_STAMP, src: C.uint64_t(handleOf(p.stamps))})
		}
		for i := p.cuts[s]; i < p.cuts[s+1]; i++ {
			c := &p.commands[i]
			if c.barrier || p.profile {
				cmds = append(cmds, C.jitvk_cmd{kind: C.JITVK_BARRIER})
			}
			cmd := C.jitvk_cmd{kind: C.uint32_t(c.kind), word: C.uint32_t(c.word)}
			switch c.kind {
			case C.JITVK_DISPATCH:
				pipeline := d.pipelines[orderFor(c).key()]
				l := d.layouts[len(c.Bind)]
				set, err := create("vkAllocateDescriptorSets", func(h *vk.DescriptorSet) vk.Result {
					return vk.AllocateDescriptorSets(d.device, &vk.DescriptorSetAllocateInfo{SType: vk.StructureTypeDescriptorSetAllocateInfo,
						DescriptorPool: p.sets, DescriptorSetCount: 1, PSetLayouts: []vk.DescriptorSetLayout{l.set}}, h)
				})
				if err != nil {
					return err
				}
				for b, bind := range c.Bind {
					writes = append(writes, C.jitvk_write{set: C.uint64_t(handleOf(set)), binding: C.uint32_t(b), buffer: bind.handle(),
						offset: bind.at(), _range: C.uint64_t(min(bind.size+d.slack, bind.buffer.size-bind.offset, d.info.MaxStorageBufferRange))})
				}
				cmd.x, cmd.y, cmd.z = C.uint32_t(c.Groups[0]), C.uint32_t(c.Groups[1]), C.uint32_t(c.Groups[2])
				cmd.pipeline, cmd.layout, cmd.set = C.uint64_t(handleOf(pipeline)), C.uint64_t(handleOf(l.pipeline)), C.uint64_t(handleOf(set))
				cmd.push_bytes = C.uint32_t(len(c.push))
				for j, v := range c.push {
					cmd.push[j] = C.uchar(v)
				}
			case C.JITVK_COPY:
				src, dst := c.Bind[0], c.Bind[1]
				cmd = copyCommand(src.Range, dst.Range)
			case C.JITVK_FILL:
				dst := c.Bind[0]
				cmd.dst, cmd.dst_off, cmd.size = dst.handle(), dst.at(), C.uint64_t(dst.size)
			}
			cmds = append(cmds, cmd)
			if p.profile {
				cmds = append(cmds, C.jitvk_cmd{kind: C.JITVK_STAMP, src: C.uint64_t(handleOf(p.stamps)), word: C.uint32_t(i + 1)})
			}
		}
		low[s] = cmds
	}
	if len(writes) > 0 {
		C.jitvk_update_sets(d.fns, &writes[0], C.uint32_t(len(writes)))
	}
	if p.buffers, err = d.commandBuffers(len(low)); err != nil {
		return err
	}
	for s, cmds := range low {
		if err := d.recordInto(p.buffers[s], cmds); err != nil {
			return err
		}
	}
	return nil
}

func (r Range) handle() C.uint64_t { return C.uint64_t(handleOf(r.buffer.block.buffer)) }
func (r Range) at() C.uint64_t     { return C.uint64_t(r.buffer.offset + r.offset) }

func copyCommand(src, dst Range) C.jitvk_cmd {
	return C.jitvk_cmd{kind: C.JITVK_COPY, src: src.handle(), src_off: src.at(), dst: dst.handle(), dst_off: dst.at(), size: C.uint64_t(src.size)}
}

func (d *Device) commandBuffers(n int) ([]vk.CommandBuffer, error) {
	out := make([]vk.CommandBuffer, n)
	var result vk.Result
	noGC(func() {
		result = vk.AllocateCommandBuffers(d.device, &vk.CommandBufferAllocateInfo{SType: vk.StructureTypeCommandBufferAllocateInfo, CommandPool: d.pool,
			Level: vk.CommandBufferLevelPrimary, CommandBufferCount: uint32(n)}, out)
	})
	return out, resultError("vkAllocateCommandBuffers", int32(result))
}

func (d *Device) recordInto(cb vk.CommandBuffer, cmds []C.jitvk_cmd) error {
	var first *C.jitvk_cmd
	if len(cmds) > 0 {
		first = &cmds[0]
	}
	return resultError("recording a command buffer", int32(C.jitvk_record(d.fns, unsafe.Pointer(cb), first, C.uint32_t(len(cmds)))))
}

// barriers returns n barrier commands, for the benchmark of recording (cgo types cannot be named in tests).
func barriers(n int) []C.jitvk_cmd {
	out := make([]C.jitvk_cmd, n)
	for i := range out {
		out[i].kind = C.JITVK_BARRIER
	}
	return out
}
