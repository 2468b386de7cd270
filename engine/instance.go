// SPDX-License-Identifier: MIT

package engine

/*
#cgo linux LDFLAGS: -ldl -lpthread
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"cmp"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"unsafe"

	vk "github.com/vulkan-go/vulkan"
)

var instance struct {
	sync.Mutex
	handle vk.Instance
}

var collector sync.Mutex

// noGC runs f with the garbage collector off. vulkan-go frees the C copies of slice arguments in finalizers that a
// collection between the copy and the call would run too early; objects made while the collector is off outlive f.
// One at a time: of two that overlap, the second would take "off" for the setting to restore. f must not block.
func noGC(f func()) {
	collector.Lock()
	defer collector.Unlock()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	f()
}

// create makes one Vulkan object. The handle is written to memory of its own: cgo forbids C to write into a Go structure
// that holds Go pointers.
func create[H any](call string, f func(*H) vk.Result) (H, error) {
	h := new(H)
	var result vk.Result
	noGC(func() { result = f(h) })
	return *h, resultError(call, int32(result))
}

func cstr(s string) string { return s + "\x00" }

func gostr(b []byte) string {
	if i := slices.Index(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

func hasExtension(h vk.PhysicalDevice, name string) bool {
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	return C.jitvk_has_extension(unsafe.Pointer(h), s) != 0
}

// open loads the Vulkan loader and makes the process's one instance, with the Khronos validation layer, synchronization
// validation included, where JITVK_VALIDATE=1 asks for it.
func open() (vk.Instance, error) {
	instance.Lock()
	defer instance.Unlock()
	if instance.handle != nil {
		return instance.handle, nil
	}
	proc := C.jitvk_load()
	if proc == nil {
		return nil, fmt.Errorf("engine: %w: no Vulkan loader (libvulkan.so.1) found; `make setup` installs it with a CPU driver, or install your GPU's driver", ErrNoDriver)
	}
	vk.SetGetInstanceProcAddr(proc)
	if err := vk.Init(); err != nil {
		return nil, fmt.Errorf("engine: %w: %v; reinstall the Vulkan loader", ErrInstallation, err)
	}
	app := &vk.ApplicationInfo{SType: vk.StructureTypeApplicationInfo, PApplicationName: cstr("jitvk"), PEngineName: cstr("jitvk"),
		ApiVersion: vk.MakeVersion(1, 3, 0)}
	info := &vk.InstanceCreateInfo{SType: vk.StructureTypeInstanceCreateInfo, PApplicationInfo: app}
	validate := C.int(0)
	if os.Getenv("JITVK_VALIDATE") == "1" {
		validate = 1
		info.PpEnabledLayerNames = []string{cstr("VK_LAYER_KHRONOS_validation")}
		info.PpEnabledExtensionNames = []string{cstr("VK_EXT_debug_utils"), cstr("VK_EXT_validation_features")}
		info.PNext = unsafe.Pointer(C.jitvk_validation_chain())
		// Layers before 1.3.290 look for hazards between command buffers only when told to, and only this tells them.
		if _, set := os.LookupEnv("VK_LAYER_ENABLES"); !set {
			os.Setenv("VK_LAYER_ENABLES", "VALIDATION_CHECK_ENABLE_SYNCHRONIZATION_VALIDATION_QUEUE_SUBMIT")
		}
	}
	// Drivers on top of another API, such as MoltenVK on Metal, are hidden from who does not ask for them.
	if hasExtension(nil, "VK_KHR_portability_enumeration") {
		info.PpEnabledExtensionNames = append(info.PpEnabledExtensionNames, cstr("VK_KHR_portability_enumeration"))
		info.Flags = 1 // VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR
	}
	info.EnabledLayerCount = uint32(len(info.PpEnabledLayerNames))
	info.EnabledExtensionCount = uint32(len(info.PpEnabledExtensionNames))
	handle, err := create("vkCreateInstance", func(h *vk.Instance) vk.Result { return vk.CreateInstance(info, nil, h) })
	if err != nil {
		return nil, err
	}
	if err := vk.InitInstance(handle); err != nil {
		return nil, fmt.Errorf("engine: %w: %v", ErrInstallation, err)
	}
	C.jitvk_instance(unsafe.Pointer(handle), validate)
	instance.handle = handle
	return handle, nil
}

// ValidationMessages returns what the validation layer has said in this process; nil without validation.
func ValidationMessages() []string {
	var out []string
	for i := range int(C.jitvk_message_count()) {
		out = append(out, C.GoString(C.jitvk_message(C.int(i))))
	}
	return out
}

// Devices lists the Vulkan devices of this machine, best first.
func Devices() ([]Info, error) {
	_, infos, err := enumerate()
	return infos, err
}

func enumerate() ([]vk.PhysicalDevice, []Info, error) {
	inst, err := open()
	if err != nil {
		return nil, nil, err
	}
	var handles []vk.PhysicalDevice
	var result vk.Result
	noGC(func() {
		var n uint32
		if result = vk.EnumeratePhysicalDevices(inst, &n, nil); result < 0 || n == 0 {
			return
		}
		handles = make([]vk.PhysicalDevice, n)
		result = vk.EnumeratePhysicalDevices(inst, &n, handles)
	})
	if err := resultError("vkEnumeratePhysicalDevices", int32(result)); err != nil {
		return nil, nil, err
	}
	type entry struct {
		handle vk.PhysicalDevice
		info   Info
	}
	var all []entry
	for _, h := range handles {
		all = append(all, entry{h, describe(h)})
	}
	rank := map[string]int{"discrete": 0, "integrated": 1, "virtual": 2, "other": 3, "cpu": 4}
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(rank[a.info.Type], rank[b.info.Type]) })
	var infos []Info
	for i := range all {
		all[i].info.Index = i
		handles[i] = all[i].handle
		infos = append(infos, all[i].info)
	}
	return handles, infos, nil
}

func (d *Device) create(cache string) error {
	var families []vk.QueueFamilyProperties
	noGC(func() {
		var n uint32
		vk.GetPhysicalDeviceQueueFamilyProperties(d.physical, &n, nil)
		families = make([]vk.QueueFamilyProperties, n)
		vk.GetPhysicalDeviceQueueFamilyProperties(d.physical, &n, families)
	})
	found := false
	for i := range families {
		families[i].Deref()
		if vk.QueueFlagBits(families[i].QueueFlags)&vk.QueueComputeBit != 0 {
			d.family, d.stampBits, found = uint32(i), families[i].TimestampValidBits, true
			break
		}
	}
	if !found {
		return fmt.Errorf("engine: %s has no compute queue: %w", d.info.Name, ErrUnsupported)
	}
	if d.info.SubgroupSize == 0 {
		return fmt.Errorf("engine: %s reports no subgroups (Vulkan 1.1): %w; update its driver", d.info.Name, ErrUnsupported)
	}
	queue := vk.DeviceQueueCreateInfo{SType: vk.StructureTypeDeviceQueueCreateInfo, QueueFamilyIndex: d.family, QueueCount: 1, PQueuePriorities: []float32{1}}
	info := &vk.DeviceCreateInfo{SType: vk.StructureTypeDeviceCreateInfo, QueueCreateInfoCount: 1, PQueueCreateInfos: []vk.DeviceQueueCreateInfo{queue}}
	var features C.uint32_t
	info.PNext = C.jitvk_features(unsafe.Pointer(d.physical), C.uint32_t(d.info.version), &features)
	for name, wanted := range map[string]bool{
		"VK_KHR_portability_subset": true, // where it is there it must be enabled
		"VK_KHR_cooperative_matrix": len(d.info.CoopMat) > 0,
		"VK_NV_cooperative_matrix2": d.info.CoopMat2 != CoopMat2{},
		"VK_KHR_shader_bfloat16":    d.info.BFloat16,
	} {
		if wanted && hasExtension(d.physical, name) {
			info.PpEnabledExtensionNames = append(info.PpEnabledExtensionNames, cstr(name))
		}
	}
	info.EnabledExtensionCount = uint32(len(info.PpEnabledExtensionNames))
	var err error
	if d.device, err = create("vkCreateDevice", func(h *vk.Device) vk.Result { return vk.CreateDevice(d.physical, info, nil, h) }); err != nil {
		return err
	}
	d.queue, _ = create("vkGetDeviceQueue", func(h *vk.Queue) vk.Result { vk.GetDeviceQueue(d.device, d.family, 0, h); return vk.Success })
	d.fns = C.jitvk_device(unsafe.Pointer(d.device))
	var m vk.PhysicalDeviceMemoryProperties
	vk.GetPhysicalDeviceMemoryProperties(d.physical, &m)
	m.Deref()
	for i := range m.MemoryTypeCount {
		m.MemoryTypes[i].Deref()
		d.memTypes = append(d.memTypes, m.MemoryTypes[i])
	}
	for i := range m.MemoryHeapCount {
		m.MemoryHeaps[i].Deref()
		d.heapSizes = append(d.heapSizes, m.MemoryHeaps[i].Size)
	}
	pool := &vk.CommandPoolCreateInfo{SType: vk.StructureTypeCommandPoolCreateInfo, QueueFamilyIndex: d.family,
		Flags: vk.CommandPoolCreateFlags(vk.CommandPoolCreateResetCommandBufferBit)}
	if d.pool, err = create("vkCreateCommandPool", func(h *vk.CommandPool) vk.Result { return vk.CreateCommandPool(d.device, pool, nil, h) }); err != nil {
		return err
	}
	return d.cache.open(d, cache)
}
