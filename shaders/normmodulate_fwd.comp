// SPDX-License-Identifier: MIT
// RMSNorm and adaLN's modulation in one pass: each row to a root mean square of one, then scaled and shifted by its image.
// Computes: rstd = 1/sqrt(mean(x^2) + eps);  y[b,t,c] = w[c] * x[b,t,c] * rstd * (1 + scale[b,c]) + shift[b,c]
// Shapes:   x, y (B,T,C); w (C); rstd (B,T); scale, shift (B,C), rows ldScale, ldShift floats apart
// Push:     tokens = T, cols = C, ldScale, offScale, ldShift, offShift (floats), eps
// Spec:     0 LOCAL invocations; 1 SPREAD: a subgroup shares a row (true), or each invocation owns one (false);
//           2 FORMAT of y in memory: 0 fp32; 1 fp16, 2 bf16, then C is a multiple of four
// Dispatch: (ceil(T/rows), B), rows = LOCAL/subgroup size (SPREAD) or LOCAL: a workgroup stays within an image, so scale
//           and shift are the same words for all of it
// Precision: fp32 storage and sums; y rounded where it is in halves
// CPU:      kernels/ref/normmodulate.go NormModulate
// Backward: normmodulate_bwd_dot.comp, normmodulate_bwd.comp, normmodulate_bwd_sum.comp
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
layout(set = 0, binding = 4, std430) readonly buffer Scale { float scale[]; };
layout(set = 0, binding = 5, std430) readonly buffer Shift { float shift[]; };
layout(push_constant) uniform Push { uint tokens, cols, ldScale, offScale, ldShift, offShift; float eps; };
layout(constant_id = 1) const bool SPREAD = true;
layout(constant_id = 2) const uint FORMAT = 0;

void main() {
    uint group = gl_WorkGroupID.x, image = gl_WorkGroupID.y;
    uint token = SPREAD ? group * gl_NumSubgroups + gl_SubgroupID : group * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
    uint lane = SPREAD ? gl_SubgroupInvocationID : 0;
    uint lanes = SPREAD ? gl_WorkGroupSize.x / gl_NumSubgroups : 1;  // gl_SubgroupSize is but a maximum on some drivers
    if (token >= tokens) return;

    uint row = image * tokens + token, at = row * cols;
    float sum = 0.0;
    for (uint c = lane; c < cols; c += lanes) sum += x[at + c] * x[at + c];
    if (SPREAD) sum = subgroupAdd(sum);

    float r = inversesqrt(sum / float(cols) + eps);
    if (lane == 0) rstd[row] = r;
    // The image's own rows of scale and shift.
    uint a = offScale + image * ldScale, b = offShift + image * ldShift;
    if (FORMAT == 0) {
        for (uint c = lane; c < cols; c += lanes) y[at + c] = w[c] * x[at + c] * r * (1.0 + scale[a + c]) + shift[b + c];
    } else { // a lane stores four at a time: halves share words
        for (uint c = 4 * lane; c < cols; c += 4 * lanes) {
            vec4 v;
            for (uint q = 0, i = c; q < 4; q++, i++) v[q] = w[i] * x[at + i] * r * (1.0 + scale[a + i]) + shift[b + i];
            y_halves[(at + c) / 4] = pack_halves(FORMAT, v);
        }
    }
}
