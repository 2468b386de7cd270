// SPDX-License-Identifier: MIT
// Matrix product on matrix units: each subgroup multiplies fragments, the workgroup stages tiles for them in half precision.
// Differs from the rung below by who multiplies: the matrix unit (tensor cores), 16 x 16 x 16 products an instruction, which
// leaves the lanes nothing but to feed it: prefetch in vec4, convert to fp16, stage in shared memory. The rung for GPUs in fp16.
// Computes, Shapes, Push: see matmul.glsl
// Spec:     0 LOCAL = SUBGROUPS * subgroup size; 1 to 8, 11 to 14 see matmul.glsl; 15 16 17 CM, CN, CK fragment, a shape that the
//           device has; 18 19 20 BM, BN, BK tile; 21 SUBGROUPS; 22 COLUMNS: subgroups along N. BM * BK and BN * BK are
//           multiples of 4 * LOCAL; a subgroup's part of the tile is a multiple of the fragment
// Dispatch: (ceil(N/BN), ceil(M/BM), batch), LOCAL invocations in whole subgroups
// Precision: operands rounded to fp16 as they are staged, sums fp32 in an order that the device chooses
// Requires: VK_KHR_cooperative_matrix f16 x f16 + f32, shaderFloat16, vulkanMemoryModel, full subgroups
// CPU:      kernels/ref/matmul.go MatMul
// Backward: dA = dC op(B)ᵀ and dB = op(A)ᵀ dC: this shader with other constants
// glslc: sid --target-env=vulkan1.3
#version 450
#extension GL_GOOGLE_include_directive : require
#include "coopmat.glsl"
