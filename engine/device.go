// SPDX-License-Identifier: MIT

package engine

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	vk "github.com/vulkan-go/vulkan"
)

// Options choose a device.
type Options struct {
	Select string // index or part of the name; "" takes a discrete GPU before an integrated one before a CPU driver
	DryRun bool   // plan only: nothing is allocated, nothing can run; works without any driver
	// Compile has a dry run make the pipelines of what it plans, one at a time, each announced by name, shader and constants:
	// a driver's compiler is there without its hardware (tools/compile).
	Compile func(pipeline string)
	// Slack lets bindings reach so many bytes beyond their ranges, where their buffers go on. Tests set it: a write past a
	// range then lands in guard words, where drivers that check bounds would drop it. Not for runs under validation.
	Slack int64
	Cache string // folder that keeps pipelines between runs, made if need be; "" keeps none
}

// Device is an open Vulkan device with one compute queue. It is not safe for concurrent use.
type Device struct {
	info      Info
	dryRun    bool
	announce  func(pipeline string) // Options.Compile
	physical  vk.PhysicalDevice
	device    vk.Device
	queue     vk.Queue
	family    uint32
	fns       *C.jitvk_fns
	memTypes  []vk.MemoryType
	heapSizes []vk.DeviceSize // by heap index
	pool      vk.CommandPool
	layouts   map[int]layout         // by number of bindings
	pipelines map[string]vk.Pipeline // by shader and specialization
	cache     pipelineCache
	heaps     [2]heap // device-local, host-visible
	stats     Stats
	slack     int64  // see Options
	stampBits uint32 // valid bits of a timestamp; 0 where the queue has none

	preferred, chosen Choices
	guessed           []Guess
}

type layout struct {
	set      vk.DescriptorSetLayout
	pipeline vk.PipelineLayout
}

// Info returns what the device is.
func (d *Device) Info() Info { return d.info }

// DryRun reports whether the device only plans.
func (d *Device) DryRun() bool { return d.dryRun }

// Open opens the device that o selects.
func Open(o Options) (*Device, error) {
	handles, infos, err := enumerate()
	if err == nil && len(infos) == 0 {
		err = fmt.Errorf("engine: %w: the Vulkan loader found no device; `make setup` installs a CPU driver, or install your GPU's driver", ErrNoDriver)
	}
	if err != nil && !(o.DryRun && errors.Is(err, ErrNoDriver)) {
		return nil, err
	}
	d := &Device{dryRun: o.DryRun, announce: o.Compile, slack: o.Slack, info: generic, layouts: map[int]layout{}, pipelines: map[string]vk.Pipeline{}, chosen: Choices{}}
	if err == nil {
		i, err := choose(infos, o.Select)
		if err != nil {
			return nil, err
		}
		d.info, d.physical = infos[i], handles[i]
	}
	d.heaps = [2]heap{{dev: d}, {dev: d, host: true}}
	if d.dryRun && (o.Compile == nil || err != nil) {
		return d, nil
	}
	if err := d.create(o.Cache); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// choose returns the index in infos of the device that the selection names.
func choose(infos []Info, selection string) (int, error) {
	if selection == "" {
		return 0, nil
	}
	i, err := strconv.Atoi(selection)
	index := err == nil && len(selection) < 3 // "2" does not mean an RTX 2080, "2080" does
	if index && i >= 0 && i < len(infos) {
		return i, nil
	}
	var list []string
	for i, info := range infos {
		if !index && strings.Contains(strings.ToLower(info.Name), strings.ToLower(selection)) {
			return i, nil
		}
		list = append(list, info.String())
	}
	return 0, fmt.Errorf("engine: %w: %q is neither an index nor part of a name; there is: %s", ErrNoDevice, selection, strings.Join(list, "; "))
}

// Close waits for the device and frees all that it owns. Programs are closed before their device.
func (d *Device) Close() {
	if d.device == nil { // a dry run, or closed before
		return
	}
	if !d.dryRun {
		vk.DeviceWaitIdle(d.device)
	}
	d.KeepPipelines()
	vk.DestroyPipelineCache(d.device, d.cache.handle, nil)
	for _, p := range d.pipelines {
		vk.DestroyPipeline(d.device, p, nil)
	}
	for _, l := range d.layouts {
		vk.DestroyPipelineLayout(d.device, l.pipeline, nil)
		vk.DestroyDescriptorSetLayout(d.device, l.set, nil)
	}
	for i := range d.heaps {
		d.heaps[i].close()
	}
	vk.DestroyCommandPool(d.device, d.pool, nil)
	vk.DestroyDevice(d.device, nil)
	C.free(unsafe.Pointer(d.fns))
	d.device, d.fns = nil, nil
}

// handleOf widens a non-dispatchable Vulkan handle to the integer that the shim takes.
func handleOf[H any](h H) uint64 { return *(*uint64)(unsafe.Pointer(&h)) }
