// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// SetRangeLimit makes ops cut their tensors as if a binding reached no further than so many bytes; 0: the device's own.
func SetRangeLimit(bytes int64) { rangeLimit = bytes }

// SetGPUShapes has ops take the workgroups that GPUs take, on a CPU driver, too.
func SetGPUShapes(on bool) { gpuShapes = on }

// WorkgroupSize and RowsPerWorkgroup are what a GPU gets.
func WorkgroupSize(info engine.Info) int    { return workgroupSize(info) }
func RowsPerWorkgroup(info engine.Info) int { return rowsPerWorkgroup(info) }
