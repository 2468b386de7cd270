// SPDX-License-Identifier: MIT
// RMSNorm backward, first pass: what dx of a row needs to know of the whole row.
// Computes: dot[row] = rstd^2/C * sum over c of dy[c] w[c] x[c]
// Shapes:   dy, x (tokens, heads, C), each token ldDY, ldX elements from the last; w (C); rstd, dot (tokens*heads)
// Push:     rows = tokens*heads, heads, cols = C, ldDY, offDY, ldX, offX (elements)
// Spec:     0 LOCAL invocations; 1 SPREAD: a subgroup shares a row (true), or each invocation owns one (false);
//           2 VEC: floats at a time, see vec.glsl; 3 FORMAT of dy in memory: 0 fp32; 1 fp16, 2 bf16, then VEC is 4
// Dispatch: x*y workgroups of LOCAL invocations; LOCAL/subgroup size rows (SPREAD) or LOCAL rows each
// Precision: fp32 storage and sums
// CPU:      kernels/ref/rmsnorm.go RMSNormBackward
// Forward:  rmsnorm_fwd.comp; the second pass is rmsnorm_bwd.comp
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
layout(set = 0, binding = 4, std430) readonly buffer Rstd { float rstd[]; };
layout(push_constant) uniform Push { uint rows, heads, cols, ldDY, offDY, ldX, offX; };
layout(constant_id = 1) const bool SPREAD = true;
layout(constant_id = 2) const uint VEC = 4;
layout(constant_id = 3) const uint FORMAT = 0;

void main() {
    // Workgroups are spread over x and y, since 65535 in x is all that Vulkan promises.
    uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint row = SPREAD ? group * gl_NumSubgroups + gl_SubgroupID : group * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
    // Where the invocation's floats begin, and how far apart; gl_SubgroupSize is but a maximum on some drivers.
    uint first = SPREAD ? VEC * gl_SubgroupInvocationID : 0;
    uint next = SPREAD ? VEC * (gl_WorkGroupSize.x / gl_NumSubgroups) : VEC;
    if (row >= rows) return;

    uint token = row / heads, head = row % heads;
    uint aty = offDY + token * ldDY + head * cols;  // the row's first element in dy
    uint atx = offX + token * ldX + head * cols;    // and in x
    float sum = 0.0;
    for (uint c = first; c < cols; c += next) sum = add4(sum, LOAD_AS(FORMAT, dy, aty + c) * LOAD(w, c) * LOAD(x, atx + c));
    if (SPREAD) sum = subgroupAdd(sum);
    if (first == 0) dot_[row] = sum * rstd[row] * rstd[row] / float(cols);
}
