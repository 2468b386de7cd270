// SPDX-License-Identifier: MIT
// RMSNorm and adaLN's modulation in one pass: each row to a root mean square of one, then scaled and shifted by its image.
// Computes: rstd = 1/sqrt(mean(x^2) + eps);  y[b,t,c] = w[c] * x[b,t,c] * rstd * (1 + scale[b,c]) + shift[b,c]
// Shapes:   x, y (B,T,C); w (C); rstd (B,T); scale, shift (B,C), rows ldScale, ldShift floats apart
// Push:     tokens = T, cols = C, ldScale, offScale, ldShift, offShift (floats), eps
// Spec:     0 LOCAL invocations; 1 SPREAD: a subgroup shares a row (true), or each invocation owns one (false);
//           2 VEC: floats at a time, see vec.glsl; 3 FORMAT of y in memory: 0 fp32; 1 fp16, 2 bf16, then VEC is 4
// Dispatch: (ceil(T/rows), B), rows = LOCAL/subgroup size (SPREAD) or LOCAL: a workgroup stays within an image, so scale
//           and shift are the same words for all of it
// Precision: fp32 storage and sums; y rounded where it is in halves
// CPU:      kernels/ref/normmodulate.go NormModulate
// Backward: normmodulate_bwd_dot.comp, normmodulate_bwd.comp, normmodulate_bwd_sum.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "precision.glsl"
#include "vec.glsl"

layout(local_size_x_id = 0) in;
WRITES_AS(0, y)
layout(set = 0, binding = 1, std430) writeonly buffer Rstd { float rstd[]; };
READS(2, x)
READS(3, w)
READS(4, scale)
READS(5, shift)
layout(push_constant) uniform Push { uint tokens, cols, ldScale, offScale, ldShift, offShift; float eps; };
layout(constant_id = 1) const bool SPREAD = true;
layout(constant_id = 2) const uint VEC = 4;
layout(constant_id = 3) const uint FORMAT = 0;

void main() {
    uint group = gl_WorkGroupID.x, image = gl_WorkGroupID.y;
    uint token = SPREAD ? group * gl_NumSubgroups + gl_SubgroupID : group * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
    // Where the invocation's floats begin, and how far apart; gl_SubgroupSize is but a maximum on some drivers.
    uint first = SPREAD ? VEC * gl_SubgroupInvocationID : 0;
    uint next = SPREAD ? VEC * (gl_WorkGroupSize.x / gl_NumSubgroups) : VEC;
    if (token >= tokens) return;

    uint row = image * tokens + token, at = row * cols;
    float sum = 0.0; // of squares, over this invocation's share of the row
    for (uint c = first; c < cols; c += next) {
        vec4 v = LOAD(x, at + c);
        sum = add4(sum, v * v);
    }
    if (SPREAD) sum = subgroupAdd(sum);

    float r = inversesqrt(sum / float(cols) + eps);
    if (first == 0) rstd[row] = r;
    // The image's own rows of scale and shift.
    uint a = offScale + image * ldScale, b = offShift + image * ldShift;
    // The norm and the modulation of a column, or of four.
    for (uint c = first; c < cols; c += next)
        STORE_AS(FORMAT, y, at + c, LOAD(w, c) * LOAD(x, at + c) * r * (1.0 + LOAD(scale, a + c)) + LOAD(shift, b + c));
}
