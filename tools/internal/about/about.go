// SPDX-License-Identifier: MIT

// Package about says in words what a device is and can do, for tools/devices and tools/report.
package about

import (
	"fmt"
	"strings"

	"jitvk/engine"
	"jitvk/kernels"
)

// Device is a device's limits, features, matrix shapes in the driver's order, and types of memory, a line each: "name: value".
func Device(i engine.Info) (lines []string) {
	add := func(name, format string, args ...any) { lines = append(lines, name+": "+fmt.Sprintf(format, args...)) }
	add("device", "%s", i.Name)
	add("type", "%s", i.Type)
	add("driver", "%s", i.Driver)
	add("Vulkan", "%s", i.Vulkan)
	add("takes", "%s", tier(i))
	add("subgroup", "%d invocations", i.SubgroupSize)
	add("workgroup", "%d invocations, %d bytes of shared memory", i.MaxInvocations, i.SharedMemory)
	add("a binding", "%d bytes, at multiples of %d", i.MaxStorageBufferRange, i.OffsetAlignment)
	add("an allocation", "%d bytes", i.MaxAllocation)
	add("timestamps", "%g ns", i.TimestampPeriod)
	features := ""
	for _, f := range []struct {
		has  bool
		name string
	}{{i.Float16, "float16"}, {i.BFloat16, "bfloat16"}, {i.Int64, "int64"}} {
		if f.has {
			features += " " + f.name
		}
	}
	add("features", "%s", none(features))
	for n, m := range i.CoopMat {
		add(fmt.Sprintf("matrices %d", n), "%s", Shape(m))
	}
	c := i.CoopMat2
	parts := ""
	for _, f := range []struct {
		has  bool
		name string
	}{{c.WorkgroupScope, "workgroup scope"}, {c.FlexibleDimensions, "flexible dimensions"}, {c.Reductions, "reductions"},
		{c.Conversions, "conversions"}, {c.PerElement, "per element"}, {c.TensorAddressing, "tensor addressing"},
		{c.BlockLoads, "block loads"}} {
		if f.has {
			parts += ", " + f.name
		}
	}
	add("NV_cooperative_matrix2", "%s", none(strings.TrimPrefix(parts, ",")))
	for n, m := range i.Memory {
		add(fmt.Sprintf("memory %d", n), "%s", m)
	}
	return lines
}

// Shape is a shape of matrices: "16 x 16 x 16, f16 f16 f32 -> f32".
func Shape(m engine.CoopMat) string {
	kind := func(s string) string {
		if s == "" {
			return "?" // a type that the kernels do not know
		}
		return s
	}
	return fmt.Sprintf("%d x %d x %d, %s %s %s -> %s", m.M, m.N, m.K, kind(m.A), kind(m.B), kind(m.C), kind(m.R))
}

// tier is which kernels a device gets before anything has been measured.
func tier(i engine.Info) string {
	text := "kernels for GPUs"
	if i.CPU() {
		text = "kernels for CPU drivers"
	}
	for _, p := range []kernels.Precision{kernels.FP16, kernels.BF16} {
		if f, ok := kernels.PeakFragment(i, p); ok {
			text += fmt.Sprintf("; %v on matrix units, %d x %d x %d", p, f.M, f.N, f.K)
		}
	}
	return text
}

func none(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return "none"
	}
	return s
}
