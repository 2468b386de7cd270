// SPDX-License-Identifier: MIT
// Matrix product, elements in place: as the rung below, and an accumulator's elements know their row and column.
// Differs from the rung below by the epilogue: NV_cooperative_matrix2 calls a function for each element with its place, which
// adds bias, residual and C and stores, so that no fragment makes a round trip through shared memory and no barrier waits.
// Computes, Shapes, Push: see matmul.glsl
// Spec:     as 06_prefetch.comp
// Dispatch: (ceil(N/BN), ceil(M/BM), batch), LOCAL invocations in whole subgroups
// Precision: operands rounded to fp16 as they are staged, sums fp32 in an order that the device chooses
// Requires: as 06_coopmat.comp, and VK_NV_cooperative_matrix2's per-element operations
// CPU:      kernels/ref/matmul.go MatMul
// Backward: dA = dC op(B)ᵀ and dB = op(A)ᵀ dC: this shader with other constants
// glslc: sid --target-env=vulkan1.3
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_NV_cooperative_matrix2 : require
#define PER_ELEMENT
#include "coopmat.glsl"
