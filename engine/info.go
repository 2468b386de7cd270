// SPDX-License-Identifier: MIT

package engine

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"encoding/binary"
	"fmt"
	"strings"
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
	Cores                 int       // multiprocessors (NVIDIA) or compute units (AMD); 0 where the driver does not say
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
	Vulkan                string    // version, such as "1.3.289"
	Memory                []string  // types of memory in the driver's order: "16.0 GB, device local, host visible"

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

// describe asks a device what it is. The binding is set up.
func (i *Instance) describe(h vk.PhysicalDevice) candidate {
	// vulkan-go reads structures where it finds them: here in C memory of ours, which is larger than any of the two.
	memory := C.calloc(2, 4096)
	defer C.free(memory)
	p := vk.NewPhysicalDevicePropertiesRef(memory)
	vk.GetPhysicalDeviceProperties(h, p)
	p.Deref()
	p.Limits.Deref()
	m := vk.NewPhysicalDeviceMemoryPropertiesRef(unsafe.Add(memory, 4096))
	vk.GetPhysicalDeviceMemoryProperties(h, m)
	m.Deref()
	var x C.jitvk_props
	C.jitvk_properties(i.calls, unsafe.Pointer(h), C.uint32_t(p.ApiVersion), &x)
	info := Info{
		Name:                  zeroTerminated(p.DeviceName[:]),
		Type:                  [...]string{"other", "integrated", "discrete", "virtual", "cpu"}[min(int(p.DeviceType), 4)],
		SubgroupSize:          int(x.subgroup_size),
		Cores:                 int(x.cores),
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
	info.version = p.ApiVersion
	features := C.jitvk_features(i.calls, unsafe.Pointer(h), C.uint32_t(p.ApiVersion))
	info.Float16, info.BFloat16 = features&C.JITVK_FLOAT16 != 0, features&C.JITVK_BFLOAT16 != 0
	info.Int64 = features&C.JITVK_INT64 != 0
	id := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, p.VendorID), p.DeviceID)
	copy(info.cacheID[:], append(id, p.PipelineCacheUUID[:]...))
	info.pinsSubgroups = features&C.JITVK_SUBGROUPS != 0 && x.subgroup_pin != 0
	part := func(i int) bool { return features&(C.JITVK_COOPMAT2<<i) != 0 }
	info.CoopMat2 = CoopMat2{part(0), part(1), part(2), part(3), part(4), part(5), part(6)}
	if features&C.JITVK_COOPMAT != 0 {
		var list [64]C.jitvk_coopmat
		for _, c := range list[:C.jitvk_coopmats(i.calls, unsafe.Pointer(h), &list[0], C.uint32_t(len(list)))] {
			info.CoopMat = append(info.CoopMat,
				CoopMat{int(c.m), int(c.n), int(c.k), componentTypes[c.a], componentTypes[c.b], componentTypes[c.c], componentTypes[c.r]})
		}
	}
	found := candidate{handle: h}
	for n := range m.MemoryTypeCount {
		m.MemoryTypes[n].Deref()
		found.memory.types = append(found.memory.types,
			memoryType{memoryFlags(m.MemoryTypes[n].PropertyFlags), int(m.MemoryTypes[n].HeapIndex)})
	}
	for n := range m.MemoryHeapCount {
		m.MemoryHeaps[n].Deref()
		found.memory.heaps = append(found.memory.heaps, int64(m.MemoryHeaps[n].Size))
		if vk.MemoryHeapFlagBits(m.MemoryHeaps[n].Flags)&vk.MemoryHeapDeviceLocalBit != 0 {
			info.MemoryBytes = max(info.MemoryBytes, int64(m.MemoryHeaps[n].Size))
		}
	}
	if info.MaxAllocation == 0 {
		info.MaxAllocation = 1 << 30
	}
	info.Vulkan = fmt.Sprintf("%d.%d.%d", p.ApiVersion>>22&0x7f, p.ApiVersion>>12&0x3ff, p.ApiVersion&0xfff)
	info.Memory = found.memory.describe()
	found.info = info
	return found
}

// generic is what a dry run plans for where there is no driver: a mid-range discrete GPU.
var generic = Info{Name: "a generic GPU (no Vulkan driver here)", Type: "discrete", Driver: "none", SubgroupSize: 32,
	SharedMemory: 48 << 10, MaxInvocations: 1024, MaxStorageBufferRange: 1<<32 - 1, MaxAllocation: 4 << 30, OffsetAlignment: 64,
	MemoryBytes: 16 << 30, TimestampPeriod: 1}
