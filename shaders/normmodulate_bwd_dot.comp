// SPDX-License-Identifier: MIT
// NormModulate backward, first pass: what dx of a row needs to know of the whole row.
// Computes: dot[b,t] = rstd^2/C * sum over c of dy[b,t,c] w[c] (1 + scale[b,c]) x[b,t,c]
// Shapes:   dy, x (B,T,C); w (C); rstd, dot (B,T); scale (B,C), rows ldScale floats apart
// Push:     tokens = T, cols = C, ldScale, offScale (floats)
// Spec:     0 LOCAL invocations; 1 SPREAD: a subgroup shares a row (true), or each invocation owns one (false);
//           2 VEC: floats at a time, see vec.glsl; 3 FORMAT of dy in memory: 0 fp32; 1 fp16, 2 bf16, then VEC is 4
// Dispatch: (ceil(T/rows), B), rows = LOCAL/subgroup size (SPREAD) or LOCAL: a workgroup stays within an image
// Precision: fp32 storage and sums
// CPU:      kernels/ref/normmodulate.go NormModulateBackward
// Forward:  normmodulate_fwd.comp; the second pass is normmodulate_bwd.comp
#version 450
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_GOOGLE_include_directive : require
#include "precision.glsl"
#include "vec.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) writeonly buffer Dot { float dot_[]; };
READS_AS(1, dy)
READS(2, x)
READS(3, w)
READS(4, scale)
layout(set = 0, binding = 5, std430) readonly buffer Rstd { float rstd[]; };
layout(push_constant) uniform Push { uint tokens, cols, ldScale, offScale; };
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

    // The row's first float in dy and x, and the image's in scale.
    uint row = image * tokens + token, at = row * cols, a = offScale + image * ldScale;
    float sum = 0.0;
    for (uint c = first; c < cols; c += next)
        sum = add4(sum, LOAD_AS(FORMAT, dy, at + c) * LOAD(w, c) * (1.0 + LOAD(scale, a + c)) * LOAD(x, at + c));
    if (SPREAD) sum = subgroupAdd(sum);
    if (first == 0) dot_[row] = sum * rstd[row] * rstd[row] / float(cols);
}
