// SPDX-License-Identifier: MIT

package kernels

// SetRangeLimit makes ops cut their tensors as if a binding reached no further than so many bytes; 0: the device's own.
func SetRangeLimit(bytes int64) { rangeLimit = bytes }
