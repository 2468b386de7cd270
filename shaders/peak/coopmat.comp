// SPDX-License-Identifier: MIT
// Peak of the matrix unit: what its multiply-adds reach when nothing but registers feeds them.
// Computes: y = Σ over CHAINS chains of X(steps), where X(0) = f mod 64 + chain, X(n+1) = A B + X(n), for fragment f, with
//           all elements of A a, all of B b
// Shapes:   y (count, CM, CN)
// Push:     count; steps, a multiple of UNROLL; a, b
// Spec:     0 LOCAL, whole subgroups; 1 2 3 CM, CN, CK fragment, a shape that the device has
// Dispatch: ceil(count / subgroups a workgroup) workgroups; a subgroup owns a fragment of y
// Precision: A and B fp16, X fp32
// Requires: VK_KHR_cooperative_matrix f16 x f16 + f32, shaderFloat16, vulkanMemoryModel, full subgroups
// CPU:      kernels/ref/peak.go PeakMatrix
// Backward: none: it measures a device and is no part of a model
// glslc: sid --target-env=vulkan1.3
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#pragma use_vulkan_memory_model
#include "common.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { uint count, steps; float a, b; };
layout(constant_id = 1) const uint CM = 16;
layout(constant_id = 2) const uint CN = 16;
layout(constant_id = 3) const uint CK = 16;

const uint CHAINS = 8; // accumulators: a product waits for the one before it in its own chain alone
const uint UNROLL = 4; // steps for one turn of the loop

#define FACTOR_A coopmat<float16_t, gl_ScopeSubgroup, CM, CK, gl_MatrixUseA>
#define FACTOR_B coopmat<float16_t, gl_ScopeSubgroup, CK, CN, gl_MatrixUseB>
#define ACCUMULATOR coopmat<float, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator>

void main() {
    uint f = group_index() * gl_NumSubgroups + gl_SubgroupID;
    if (f >= count) return; // a whole subgroup leaves
    FACTOR_A A = FACTOR_A(float16_t(a));
    FACTOR_B B = FACTOR_B(float16_t(b));
    ACCUMULATOR x[CHAINS];
    [[unroll]] for (uint c = 0; c < CHAINS; c++) x[c] = ACCUMULATOR(float(f % 64 + c));
    for (uint n = 0; n < steps; n += UNROLL) {
        [[unroll]] for (uint u = 0; u < UNROLL; u++)
            [[unroll]] for (uint c = 0; c < CHAINS; c++) x[c] = coopMatMulAdd(A, B, x[c]);
    }
    // Every chain is part of the result, or the compiler would drop it.
    ACCUMULATOR sum = x[0];
    [[unroll]] for (uint c = 1; c < CHAINS; c++) sum += x[c];
    coopMatStore(sum, y, f * CM * CN, CN, gl_CooperativeMatrixLayoutRowMajor);
}
