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
	"slices"
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
	// Compiled, beside Compile, is given what the driver says of each pipeline that was made, where it has
	// VK_KHR_pipeline_executable_properties; names and units are the driver's.
	Compiled func(pipeline string, statistics []Statistic)
	// Slack lets bindings reach so many bytes beyond their ranges, where their buffers go on. Tests set it: a write past a
	// range then lands in guard words, where drivers that check bounds would drop it. Not for runs under validation.
	Slack int64
	// MaxAllocation, where it is not 0, is less than the driver allows of one allocation. Tests set it: what takes several allocations
	// of 2 GiB on a real run then does so in a small one.
	MaxAllocation int64
	Cache         string // folder that keeps pipelines between runs, made if need be; "" keeps none

	Extensions []string // of the device, such as "VK_KHR_swapchain" for a window; one that is not there is an ExtensionError
	// Family says whether a queue family that computes will do, as of the window's surface that it must draw on: h has its instance,
	// physical device and family. The first that will do gets the device's queue; nil takes any.
	Family func(h Handles) bool
}

// Device is an open Vulkan device. It is not safe for concurrent use, but several devices are, each by a goroutine of its own: what
// one has made it shares with no other.
type Device struct {
	info     Info
	memory   memoryMap
	dryRun   bool
	announce func(pipeline string) // Options.Compile
	compiled func(pipeline string, statistics []Statistic)
	slack    int64 // see Options
	experiments

	instance  *Instance // nil where there is nothing to call, as on most dry runs
	device    vk.Device
	handles   Handles
	calls     *C.jitvk_device // this device's own table of functions (device.c)
	compute   *queue
	layouts   map[int]layout    // by number of bindings
	pipelines map[string]handle // by shader and specialization
	cache     pipelineCache
	heaps     [2]heap // device-local, host-visible
	stats     Stats
	closed    bool

	preferred, chosen Choices
	guessed           []Guess
}

// Handles are Vulkan's own handles of an open device, for a library that draws or shares memory with it. They stay the device's.
type Handles struct {
	Instance, PhysicalDevice, Device, Queue uintptr
	Family                                  uint32 // of the queue
}

// Handles returns Vulkan's own; all zero on a dry run.
func (d *Device) Handles() Handles { return d.handles }

type layout struct{ set, pipeline handle }

// Info returns what the device is.
func (d *Device) Info() Info { return d.info }

// DryRun reports whether the device only plans.
func (d *Device) DryRun() bool { return d.dryRun }

// Devices lists the Vulkan devices of this machine, best first.
func Devices() ([]Info, error) {
	i, err := NewInstance(InstanceOptions{})
	if err != nil {
		return nil, err
	}
	defer i.Close()
	return i.Devices()
}

// Open opens the device that o selects, in an instance of its own.
func Open(o Options) (*Device, error) {
	i, err := NewInstance(InstanceOptions{})
	if o.DryRun && errors.Is(err, ErrNoDriver) {
		return newDevice(candidate{info: generic}, o)
	}
	if err != nil {
		return nil, err
	}
	defer i.Close()
	return i.Open(o)
}

// Open opens the device that o selects.
func (i *Instance) Open(o Options) (*Device, error) {
	all, err := i.enumerate()
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("engine: %w: the Vulkan loader found no device; `make setup` installs a CPU driver, or install your GPU's driver",
			ErrNoDriver)
	}
	if o.DryRun && errors.Is(err, ErrNoDriver) {
		return newDevice(candidate{info: generic}, o)
	}
	if err != nil {
		return nil, err
	}
	var infos []Info
	for _, c := range all {
		infos = append(infos, c.info)
	}
	n, err := choose(infos, o.Select)
	if err != nil {
		return nil, err
	}
	d, err := newDevice(all[n], o)
	if err != nil || d.dryRun && o.Compile == nil {
		return d, err
	}
	if err := d.open(i, all[n].handle, o); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// newDevice returns a device that can plan.
func newDevice(c candidate, o Options) (*Device, error) {
	e, err := readExperiments()
	if err != nil {
		return nil, err
	}
	d := &Device{info: c.info, memory: c.memory, dryRun: o.DryRun, announce: o.Compile, compiled: o.Compiled, slack: o.Slack,
		experiments: e, layouts: map[int]layout{}, pipelines: map[string]handle{}, chosen: Choices{}}
	if o.MaxAllocation > 0 {
		d.info.MaxAllocation = min(d.info.MaxAllocation, o.MaxAllocation)
	}
	d.heaps = [2]heap{{dev: d}, {dev: d, host: true}}
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
	return 0, fmt.Errorf("engine: %w: %q is neither an index nor part of a name; there is: %s", ErrNoDevice, selection,
		strings.Join(list, "; "))
}

// open makes the Vulkan device, its queue and its pipeline cache. After an error the device can only be closed.
func (d *Device) open(i *Instance, physical vk.PhysicalDevice, o Options) error {
	i.retain()
	d.instance = i
	d.handles = Handles{Instance: uintptr(unsafe.Pointer(i.handle)), PhysicalDevice: uintptr(unsafe.Pointer(physical))}
	if d.info.SubgroupSize == 0 {
		return fmt.Errorf("engine: %s reports no subgroups (Vulkan 1.1): %w; update its driver", d.info.Name, ErrUnsupported)
	}
	stampBits, err := d.chooseFamily(physical, o.Family)
	if err != nil {
		return err
	}
	extensions, err := d.extensions(physical, o.Extensions)
	if err != nil {
		return err
	}
	if err := d.create(physical, extensions); err != nil {
		return err
	}
	if d.compute, err = d.newQueue(d.handles.Family, stampBits); err != nil {
		return err
	}
	d.handles.Queue = uintptr(d.compute.handle)
	return d.cache.open(d, o.Cache)
}

// chooseFamily finds the queue family that computes and, where a caller has a say in it, will do; it returns how many bits of its
// timestamps are valid.
func (d *Device) chooseFamily(physical vk.PhysicalDevice, willDo func(Handles) bool) (stampBits uint32, err error) {
	var families [64]C.jitvk_family
	for n, f := range families[:C.jitvk_families(d.instance.calls, unsafe.Pointer(physical), &families[0], C.uint32_t(len(families)))] {
		d.handles.Family = uint32(n)
		if vk.QueueFlagBits(f.flags)&vk.QueueComputeBit != 0 && (willDo == nil || willDo(d.handles)) {
			return uint32(f.stamp_bits), nil
		}
	}
	return 0, fmt.Errorf("engine: %s has no compute queue that will do: %w", d.info.Name, ErrUnsupported)
}

// extensions returns the names of those that the device is opened with: what its kernels use, and what was asked for.
func (d *Device) extensions(physical vk.PhysicalDevice, asked []string) ([]string, error) {
	there := func(name *C.char) bool {
		return C.jitvk_device_can(d.instance.calls, unsafe.Pointer(physical), name) != 0
	}
	if lacking := lacking(asked, there); lacking != nil {
		return nil, &ExtensionError{d.info.Name, lacking}
	}
	names := slices.Clone(asked)
	for _, e := range []struct {
		name   string
		wanted bool
	}{
		{"VK_KHR_portability_subset", true}, // where it is there it must be enabled
		{"VK_KHR_cooperative_matrix", len(d.info.CoopMat) > 0},
		{"VK_NV_cooperative_matrix2", d.info.CoopMat2 != CoopMat2{}},
		{"VK_KHR_shader_bfloat16", d.info.BFloat16},
		{statistics, d.compiled != nil},
	} {
		if e.wanted && !slices.Contains(names, e.name) && lacking([]string{e.name}, there) == nil {
			names = append(names, e.name)
		}
	}
	return names, nil
}

// create makes the Vulkan device and its table of functions.
func (d *Device) create(physical vk.PhysicalDevice, extensions []string) error {
	names, free := cStrings(extensions)
	defer free()
	capture := C.uint32_t(0)
	if slices.Contains(extensions, statistics) {
		capture = 1
	}
	request := C.jitvk_device_request(d.instance.calls, unsafe.Pointer(physical), C.uint32_t(d.info.version), C.uint32_t(d.handles.Family),
		names, C.uint32_t(len(extensions)), capture)
	if request == nil {
		return resultError("vkCreateDevice", outOfHostMemory)
	}
	defer C.free(request)
	return d.instance.setUp(func() error {
		handle := new(vk.Device) // on its own: cgo forbids C to write into a Go structure that holds Go pointers
		if err := resultError("vkCreateDevice",
			int32(vk.CreateDevice(physical, vk.NewDeviceCreateInfoRef(request), nil, handle))); err != nil {
			return err
		}
		if d.calls = C.jitvk_device_open(d.instance.calls, unsafe.Pointer(*handle), capture); d.calls == nil {
			vk.DestroyDevice(*handle, nil)
			return resultError("opening a device", outOfHostMemory)
		}
		d.device, d.handles.Device = *handle, uintptr(unsafe.Pointer(*handle))
		return nil
	})
}

// Close waits for the device and frees all that it owns. Programs are closed before their device.
func (d *Device) Close() {
	if d.calls != nil {
		if !d.dryRun { // nothing was submitted, and Mesa's driver without hardware crashes when asked to wait
			d.waitIdle() // a lost device waits for nothing
		}
		d.KeepPipelines()
		d.destroy(kindPipelineCache, d.cache.handle)
		for _, p := range d.pipelines {
			d.destroy(kindPipeline, p)
		}
		for _, l := range d.layouts {
			d.destroy(kindPipelineLayout, l.pipeline)
			d.destroy(kindSetLayout, l.set)
		}
		for i := range d.heaps {
			d.heaps[i].close()
		}
		if d.compute != nil {
			d.destroy(kindCommandPool, d.compute.pool)
		}
		C.jitvk_device_close(d.calls)
	}
	if d.instance != nil {
		d.instance.release()
	}
	d.closed = true
	d.calls, d.instance, d.handles = nil, nil, Handles{}
}
