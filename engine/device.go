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
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	vk "github.com/vulkan-go/vulkan"
)

// Info describes a device: what a kernel needs to choose its shape, and what a person wants to read.
type Info struct {
	Index                 int
	Name                  string    // as the driver gives it
	Type                  string    // "discrete", "integrated", "virtual", "cpu" or "other"
	Driver                string    // driver's name and version
	SubgroupSize          int       // invocations
	SharedMemory          int       // bytes a workgroup
	MaxInvocations        int       // a workgroup
	MaxStorageBufferRange int64     // bytes a binding
	MaxAllocation         int64     // bytes an allocation
	OffsetAlignment       int64     // bytes: where a binding may start
	MemoryBytes           int64     // size of the largest device-local heap
	TimestampPeriod       float64   // nanoseconds
	Float16               bool      // 16-bit floats in arithmetic and in storage buffers
	BFloat16              bool      // bfloat16 in storage and as operand of cooperative matrices
	Int64                 bool      // 64-bit integers
	CoopMat               []CoopMat // what a subgroup can multiply (VK_KHR_cooperative_matrix)
	CoopMat2              CoopMat2  // the parts of VK_NV_cooperative_matrix2

	version            uint32   // of Vulkan
	subgroupOperations uint32   // VkSubgroupFeatureFlags in compute shaders
	pinsSubgroups      bool     // a pipeline can demand subgroups of SubgroupSize, all of them full
	cacheID            [24]byte // whose pipelines are whose: vendor, device and UUID, as in VkPipelineCacheHeaderVersionOne
}

// CoopMat is a shape of cooperative matrices: R (MxN) = A (MxK) B (KxN) + C (MxN), with the types "f16", "bf16", "f32", ….
type CoopMat struct {
	M, N, K    int
	A, B, C, R string
}

// CoopMat2 says which parts of VK_NV_cooperative_matrix2 a device has (VkPhysicalDeviceCooperativeMatrix2FeaturesNV).
type CoopMat2 struct {
	WorkgroupScope, FlexibleDimensions, Reductions, Conversions, PerElement, TensorAddressing, BlockLoads bool
}

// componentTypes are the VkComponentTypeKHR that the kernels know.
var componentTypes = map[C.uint32_t]string{0: "f16", 1: "f32", 2: "f64", 3: "s8", 5: "s32", 7: "u8", 9: "u32", 1000141000: "bf16"}

// CPU reports whether the device is a CPU driver such as lavapipe: narrow subgroups, no shared memory worth the name.
func (i Info) CPU() bool { return i.Type == "cpu" }

func (i Info) String() string {
	return fmt.Sprintf("%d: %s (%s, %s)", i.Index, i.Name, i.Type, i.Driver)
}

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
	undecided         []Decision
}

type layout struct {
	set      vk.DescriptorSetLayout
	pipeline vk.PipelineLayout
}

// Info returns what the device is.
func (d *Device) Info() Info { return d.info }

// DryRun reports whether the device only plans.
func (d *Device) DryRun() bool { return d.dryRun }

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

func describe(h vk.PhysicalDevice) Info {
	var p vk.PhysicalDeviceProperties
	vk.GetPhysicalDeviceProperties(h, &p)
	p.Deref()
	p.Limits.Deref()
	var x C.jitvk_props
	C.jitvk_properties(unsafe.Pointer(h), C.uint32_t(p.ApiVersion), &x)
	var m vk.PhysicalDeviceMemoryProperties
	vk.GetPhysicalDeviceMemoryProperties(h, &m)
	m.Deref()
	info := Info{
		Name:                  gostr(p.DeviceName[:]),
		Type:                  [...]string{"other", "integrated", "discrete", "virtual", "cpu"}[min(int(p.DeviceType), 4)],
		SubgroupSize:          int(x.subgroup_size),
		SharedMemory:          int(p.Limits.MaxComputeSharedMemorySize),
		MaxInvocations:        int(p.Limits.MaxComputeWorkGroupInvocations),
		MaxStorageBufferRange: int64(p.Limits.MaxStorageBufferRange),
		MaxAllocation:         int64(min(x.max_allocation, 1<<48)), // some drivers say 2^64 - 1
		OffsetAlignment:       int64(p.Limits.MinStorageBufferOffsetAlignment),
		TimestampPeriod:       float64(p.Limits.TimestampPeriod),
	}
	if info.Driver = strings.TrimSpace(C.GoString(&x.driver_name[0]) + " " + C.GoString(&x.driver_info[0])); info.Driver == "" {
		info.Driver = fmt.Sprintf("driver %#x", p.DriverVersion)
	}
	if x.subgroup_stages&C.uint32_t(vk.ShaderStageComputeBit) != 0 {
		info.subgroupOperations = uint32(x.subgroup_operations)
	}
	var features C.uint32_t
	info.version = p.ApiVersion
	C.jitvk_features(unsafe.Pointer(h), C.uint32_t(p.ApiVersion), &features)
	info.Float16, info.BFloat16 = features&C.JITVK_FLOAT16 != 0, features&C.JITVK_BFLOAT16 != 0
	info.Int64 = features&C.JITVK_INT64 != 0
	id := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, p.VendorID), p.DeviceID)
	copy(info.cacheID[:], append(id, p.PipelineCacheUUID[:]...))
	info.pinsSubgroups = features&C.JITVK_SUBGROUPS != 0 && x.subgroup_pin != 0
	part := func(i int) bool { return features&(C.JITVK_COOPMAT2<<i) != 0 }
	info.CoopMat2 = CoopMat2{part(0), part(1), part(2), part(3), part(4), part(5), part(6)}
	if features&C.JITVK_COOPMAT != 0 {
		var list [64]C.jitvk_coopmat
		for _, c := range list[:C.jitvk_coopmats(unsafe.Pointer(h), &list[0], C.uint32_t(len(list)))] {
			info.CoopMat = append(info.CoopMat, CoopMat{int(c.m), int(c.n), int(c.k), componentTypes[c.a], componentTypes[c.b], componentTypes[c.c], componentTypes[c.r]})
		}
	}
	for i := range m.MemoryHeapCount {
		m.MemoryHeaps[i].Deref()
		if vk.MemoryHeapFlagBits(m.MemoryHeaps[i].Flags)&vk.MemoryHeapDeviceLocalBit != 0 {
			info.MemoryBytes = max(info.MemoryBytes, int64(m.MemoryHeaps[i].Size))
		}
	}
	if info.MaxAllocation == 0 {
		info.MaxAllocation = 1 << 30
	}
	return info
}

// generic is what a dry run plans for where there is no driver: a mid-range discrete GPU.
var generic = Info{Name: "a generic GPU (no Vulkan driver here)", Type: "discrete", Driver: "none", SubgroupSize: 32, SharedMemory: 48 << 10,
	MaxInvocations: 1024, MaxStorageBufferRange: 1<<32 - 1, MaxAllocation: 4 << 30, OffsetAlignment: 64, MemoryBytes: 16 << 30, TimestampPeriod: 1}

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
