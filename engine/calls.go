// SPDX-License-Identifier: MIT

package engine

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import "unsafe"

// This file has one method for each Vulkan call that is made on an open device: they go through the device's own table in the shim
// (device.c). What C is given of Go's memory is a handle's place or the elements of a slice, for as long as the call takes and never
// with Go pointers inside, so the collector may run whenever it likes.

// A handle names a Vulkan object; 0 is none.
type handle = C.uint64_t

const outOfHostMemory = -1 // VK_ERROR_OUT_OF_HOST_MEMORY

// A commandBuffer is a VkCommandBuffer: Vulkan's own pointer.
type commandBuffer = unsafe.Pointer

// objectKind says what a handle names, for destroy.
type objectKind uint32

const (
	kindBuffer         objectKind = C.JITVK_BUFFER
	kindMemory         objectKind = C.JITVK_MEMORY
	kindSetLayout      objectKind = C.JITVK_SET_LAYOUT
	kindPipelineLayout objectKind = C.JITVK_PIPELINE_LAYOUT
	kindPipeline       objectKind = C.JITVK_PIPELINE
	kindPipelineCache  objectKind = C.JITVK_PIPELINE_CACHE
	kindSetPool        objectKind = C.JITVK_SET_POOL
	kindStampPool      objectKind = C.JITVK_QUERY_POOL
	kindCommandPool    objectKind = C.JITVK_COMMAND_POOL
	kindFence          objectKind = C.JITVK_FENCE
)

// made returns what a call has made, 0 where it failed: Vulkan leaves the handle undefined then.
func made(call string, result C.int32_t, h handle) (handle, error) {
	if err := resultError(call, int32(result)); err != nil {
		return 0, err
	}
	return h, nil
}

// destroy destroys an object; none is fine.
func (d *Device) destroy(kind objectKind, h handle) { C.jitvk_destroy(d.calls, C.uint32_t(kind), h) }

func (d *Device) waitIdle() error {
	return resultError("vkDeviceWaitIdle", int32(C.jitvk_wait_idle(d.calls)))
}

func (d *Device) createBuffer(size int64) (handle, error) {
	var h handle
	result := C.jitvk_create_buffer(d.calls, C.uint64_t(size), &h)
	return made("vkCreateBuffer", result, h)
}

// bufferNeeds returns what a buffer asks of its memory: bytes, and a bit for each type that will do.
func (d *Device) bufferNeeds(buffer handle) (size int64, types uint32) {
	var s C.uint64_t
	var t C.uint32_t
	C.jitvk_buffer_needs(d.calls, buffer, &s, &t)
	return int64(s), uint32(t)
}

func (d *Device) allocateMemory(size int64, memoryType uint32) (handle, error) {
	var h handle
	result := C.jitvk_allocate(d.calls, C.uint64_t(size), C.uint32_t(memoryType), &h)
	return made("vkAllocateMemory", result, h)
}

func (d *Device) bindBuffer(buffer, memory handle) error {
	return resultError("vkBindBufferMemory", int32(C.jitvk_bind(d.calls, buffer, memory)))
}

// mapMemory returns the bytes of host-visible memory, which stay mapped until the memory is destroyed.
func (d *Device) mapMemory(memory handle, size int64) ([]byte, error) {
	var p unsafe.Pointer
	if err := resultError("vkMapMemory", int32(C.jitvk_map(d.calls, memory, C.uint64_t(size), &p))); err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(p), size), nil
}

// createSetLayout makes the layout of descriptor sets with so many storage buffers.
func (d *Device) createSetLayout(bindings int) (handle, error) {
	var h handle
	result := C.jitvk_create_set_layout(d.calls, C.uint32_t(bindings), &h)
	return made("vkCreateDescriptorSetLayout", result, h)
}

func (d *Device) createPipelineLayout(set handle) (handle, error) {
	var h handle
	result := C.jitvk_create_pipeline_layout(d.calls, set, maxPush, &h)
	return made("vkCreatePipelineLayout", result, h)
}

func (d *Device) createPipelineCache(data []byte) (handle, error) {
	var h handle
	result := C.jitvk_create_pipeline_cache(d.calls, unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)), &h)
	return made("vkCreatePipelineCache", result, h)
}

// pipelineCacheData returns the driver's bytes, nil where it gives none.
func (d *Device) pipelineCacheData(cache handle) []byte {
	var size C.size_t
	if C.jitvk_pipeline_cache_data(d.calls, cache, &size, nil) != 0 || size == 0 {
		return nil
	}
	data := make([]byte, size)
	if C.jitvk_pipeline_cache_data(d.calls, cache, &size, unsafe.Pointer(&data[0])) != 0 { // not even VK_INCOMPLETE
		return nil
	}
	return data[:size]
}

// createPipeline makes a compute pipeline. subgroup, if not 0, is the size that subgroups must have, all of them full. Several
// goroutines may call it at once.
func (d *Device) createPipeline(code []byte, layout handle, spec []uint32, subgroup uint32) (handle, error) {
	var h handle
	result := C.jitvk_pipeline(d.calls, d.cache.handle, unsafe.Pointer(unsafe.SliceData(code)),
		C.size_t(len(code)), layout, (*C.uint32_t)(unsafe.Pointer(unsafe.SliceData(spec))), C.uint32_t(len(spec)), C.uint32_t(subgroup), &h)
	return made("vkCreateComputePipelines", result, h)
}

// statistics is the extension by which a driver says what it made of a pipeline.
const statistics = "VK_KHR_pipeline_executable_properties"

// A Statistic is a number that the driver gives of a pipeline: registers, spills, ….
type Statistic struct {
	Name  string
	Value float64
}

// statistics is what the driver says of a pipeline; nil where it says nothing.
func (d *Device) statistics(pipeline handle) (all []Statistic) {
	var list [64]C.jitvk_statistic
	for _, s := range list[:C.jitvk_pipeline_statistics(d.calls, pipeline, &list[0], C.uint32_t(len(list)))] {
		all = append(all, Statistic{C.GoString(&s.name[0]), float64(s.value)})
	}
	return all
}

// createSetPool makes a pool for so many descriptor sets, with so many buffers in all of them together.
func (d *Device) createSetPool(sets, bindings int) (handle, error) {
	var h handle
	result := C.jitvk_create_set_pool(d.calls, C.uint32_t(sets), C.uint32_t(bindings), &h)
	return made("vkCreateDescriptorPool", result, h)
}

// allocateSets takes descriptor sets from a pool, one of each layout.
func (d *Device) allocateSets(pool handle, layouts []handle) ([]handle, error) {
	sets := make([]handle, len(layouts))
	return sets, resultError("vkAllocateDescriptorSets",
		int32(C.jitvk_allocate_sets(d.calls, pool, unsafe.SliceData(layouts), C.uint32_t(len(layouts)), unsafe.SliceData(sets))))
}

// createStampPool makes a pool of so many timestamps.
func (d *Device) createStampPool(stamps int) (handle, error) {
	var h handle
	result := C.jitvk_create_query_pool(d.calls, C.uint32_t(stamps), &h)
	return made("vkCreateQueryPool", result, h)
}

// readStamps reads a pool's timestamps; written is false where the device has not.
func (d *Device) readStamps(pool handle, stamps []uint64) (written bool, err error) {
	result := int32(C.jitvk_read_stamps(d.calls, pool, C.uint32_t(len(stamps)), (*C.uint64_t)(unsafe.Pointer(&stamps[0]))))
	return result == 0, resultError("vkGetQueryPoolResults", result)
}

func (d *Device) createCommandPool(family uint32) (handle, error) {
	var h handle
	result := C.jitvk_create_command_pool(d.calls, C.uint32_t(family), &h)
	return made("vkCreateCommandPool", result, h)
}

func (d *Device) createFence() (handle, error) {
	var h handle
	result := C.jitvk_create_fence(d.calls, &h)
	return made("vkCreateFence", result, h)
}

// waitFence waits for a fence, however long it takes, and makes it ready for its next submission.
func (d *Device) waitFence(fence handle) error {
	return resultError("vkWaitForFences", int32(C.jitvk_wait(d.calls, fence)))
}

// has reports whether the device gives a function of Vulkan: those of an extension are there if it was asked for.
func (d *Device) has(function string) bool {
	name := C.CString(function)
	defer C.free(unsafe.Pointer(name))
	return C.jitvk_device_function(d.instance.calls, unsafe.Pointer(d.device), name) != nil
}

// allocated returns the bytes that C code holds, 0 where nobody counts them.
func allocated() int64 { return int64(C.jitvk_allocated()) }
