// SPDX-License-Identifier: MIT
// Matrix product on matrix units, without a wait, in bf16: 06_prefetch.comp for matrix units that multiply bf16.
// Differs from 06_prefetch.comp by the type of its operands, and by their rounding, which is done in integers as everywhere else.
// Computes, Shapes, Push: see matmul.glsl
// Spec:     as 06_prefetch.comp; PRECISION is 2
// Dispatch: (ceil(N/BN), ceil(M/BM), batch), LOCAL invocations in whole subgroups
// Precision: operands rounded to bf16 as they are staged, sums fp32 in an order that the device chooses
// Requires: VK_KHR_cooperative_matrix bf16 x bf16 + f32, VK_KHR_shader_bfloat16, vulkanMemoryModel, full subgroups, and bf16
//           accumulators where DIRECT fragments meet halves
// CPU:      kernels/ref/matmul.go MatMul
// Backward: dA = dC op(B)ᵀ and dB = op(A)ᵀ dC: this shader with other constants
// glslc: sid --target-env=vulkan1.3
#version 450
#extension GL_GOOGLE_include_directive : require
#define BF16
#include "coopmat.glsl"
