// SPDX-License-Identifier: MIT

package engine

/*
#include "shim.h"
*/
import "C"

import (
	"sync"
	"unsafe"
)

// A queue is where command buffers are handed to a device, with the pool that they come from. Vulkan wants one call at a time on a
// queue, which its lock sees to; the pool is the device's, one goroutine's.
type queue struct {
	mu        sync.Mutex
	dev       *Device
	handle    unsafe.Pointer // VkQueue
	family    uint32
	stampBits uint32 // valid bits of a timestamp; 0 where the queue has none
	pool      handle
}

// newQueue returns the device's queue of a family that it was made with.
func (d *Device) newQueue(family, stampBits uint32) (*queue, error) {
	pool, err := d.createCommandPool(family)
	if err != nil {
		return nil, err
	}
	return &queue{dev: d, handle: C.jitvk_queue(d.calls, C.uint32_t(family)), family: family, stampBits: stampBits, pool: pool}, nil
}

// submit hands command buffers over; once they have run, the fence (0 is none) says so.
func (q *queue) submit(cbs []commandBuffer, fence handle) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return resultError("vkQueueSubmit", int32(C.jitvk_submit(q.dev.calls, q.handle, unsafe.SliceData(cbs), C.uint32_t(len(cbs)), fence)))
}

// commandBuffers returns n of them, to be recorded.
func (q *queue) commandBuffers(n int) ([]commandBuffer, error) {
	out := make([]commandBuffer, n)
	if err := resultError("vkAllocateCommandBuffers",
		int32(C.jitvk_allocate_commands(q.dev.calls, q.pool, C.uint32_t(n), unsafe.SliceData(out)))); err != nil {
		return nil, err
	}
	return out, nil
}

// free gives command buffers back.
func (q *queue) free(cbs []commandBuffer) {
	if len(cbs) > 0 {
		C.jitvk_free_commands(q.dev.calls, q.pool, C.uint32_t(len(cbs)), unsafe.SliceData(cbs))
	}
}
