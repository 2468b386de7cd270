// SPDX-License-Identifier: MIT

// Package ref is the plain Go twin of every op in package kernels: loops over slices, no GPU, nothing imported from this
// project. It is what the shaders are tested against, run in float64, and the shortest statement of what they compute.
//
// Functions are generic over float32 and float64, take destinations first, and take contiguous tensors and their sizes.
// A backward function writes its gradients; the kernels' flag that adds to a gradient has no twin here. Read silu.go
// first, then rmsnorm.go, then attention.go.
package ref
