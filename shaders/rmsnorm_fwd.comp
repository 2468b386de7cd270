// SPDX-License-Identifier: MIT
// RMSNorm forward: scale every row to a root mean square of one, then by a learned weight.
// Computes: rstd = 1/sqrt(mean(x^2) + eps);  y[c] = w[c] * x[c] * rstd
// Shapes:   x, y (tokens, heads, C), each token ldX, ldY floats from the last; w (C); rstd (tokens*heads)
//           plain rows (N,C) are heads = 1; QK-norm is heads = H, C = D.
// Push:     rows = tokens*heads, heads, cols = C, ldX, offX, ldY, offY (floats), eps
// Spec:     0 LOCAL invocations; 1 SPREAD: true (GPUs): the lanes of a subgroup share a row, so their loads are
//           neighbours; false (CPU drivers): each invocation owns a row, so w is the same word for all of them
//           2 FORMAT of y in memory: 0 fp32; 1 fp16, 2 bf16, then all lengths, strides and offsets are multiples of four
// Dispatch: x*y workgroups of LOCAL invocations; LOCAL/subgroup size rows (SPREAD) or LOCAL rows each
// Precision: fp32 storage and sums; y rounded where it is in halves
// CPU:      kernels/ref/rmsnorm.go RMSNorm
// Backward: rmsnorm_bwd_dot.comp, then rmsnorm_bwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "precision.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 0, std430) writeonly buffer YHalves { uvec2 y_halves[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Rstd { float rstd[]; };
layout(set = 0, binding = 2, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 3, std430) readonly buffer W { float w[]; };
layout(push_constant) uniform Push { uint rows, heads, cols, ldX, offX, ldY, offY; float eps; };
layout(constant_id = 1) const bool SPREAD = true;
layout(constant_id = 2) const uint FORMAT = 0;

void main() {
    // Workgroups are spread over x and y, since 65535 in x is all that Vulkan promises.
    uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint row = SPREAD ? group * gl_NumSubgroups + gl_SubgroupID : group * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
    uint lane = SPREAD ? gl_SubgroupInvocationID : 0;
    uint lanes = SPREAD ? gl_WorkGroupSize.x / gl_NumSubgroups : 1;  // gl_SubgroupSize is but a maximum on some drivers
    if (row >= rows) return;

    uint token = row / heads, head = row % heads;
    uint at = offX + token * ldX + head * cols;  // the row's first float in x
    float sum = 0.0;
    for (uint c = lane; c < cols; c += lanes) sum += x[at + c] * x[at + c];
    if (SPREAD) sum = subgroupAdd(sum);

    float r = inversesqrt(sum / float(cols) + eps);
    if (lane == 0) rstd[row] = r;
    uint to = offY + token * ldY + head * cols;  // the row's first float in y
    if (FORMAT == 0) {
        for (uint c = lane; c < cols; c += lanes) y[to + c] = w[c] * x[at + c] * r;
    } else { // a lane stores four at a time: halves share words
        for (uint c = 4 * lane; c < cols; c += 4 * lanes) {
            vec4 v;
            for (uint q = 0; q < 4; q++) v[q] = w[c + q] * x[at + c + q] * r;
            y_halves[(to + c) / 4] = pack_halves(FORMAT, v);
        }
    }
}
