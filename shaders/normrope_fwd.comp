// SPDX-License-Identifier: MIT
// QK-norm and RoPE in one pass: RMSNorm of each head's row, then its pairs turned by the token's angles.
// Computes: rstd = 1/sqrt(mean(x^2) + eps);  n = w * x * rstd;  (y0, y1) = (n0 cos - n1 sin, n1 cos + n0 sin)
// Shapes:   x, y (tokens = B*T, H, D), tokens ldX, ldY elements apart; w (D); rstd (tokens, H); cos, sin (T, D/2)
// Push:     rows = B*T*H, heads = H, T, half = D/2, ldX, offX, ldY, offY (elements), eps
// Spec:     0 LOCAL invocations; 1 SPREAD: a subgroup shares a row (true), or each invocation owns one (false);
//           2 INTERLEAVED: neighbours (2j, 2j+1) are pair j (the paper); else (i, i+D/4) inside each half of D (the post);
//           3 VEC: floats at a time, see vec.glsl; 4, 5 FORMAT of y, x in memory: 0 fp32; 1 fp16, 2 bf16, then VEC is 4
// Dispatch: x*y workgroups of LOCAL invocations; LOCAL/subgroup size rows (SPREAD) or LOCAL rows each
// Precision: fp32; y rounded where it is in halves; tables computed in fp64 by the host
// CPU:      kernels/ref/normrope.go NormRoPE
// Backward: normrope_bwd.comp
#version 450
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_GOOGLE_include_directive : require
#define RESTRICT restrict
#include "precision.glsl"
#include "vec.glsl"

layout(local_size_x_id = 0) in;
WRITES_AS(0, y)
layout(set = 0, binding = 1, std430) writeonly buffer Rstd { float rstd[]; };
READS_AS(2, x)
READS(3, w)
READS(4, cos_)
READS(5, sin_)
layout(push_constant) uniform Push { uint rows, heads, T, half_, ldX, offX, ldY, offY; float eps; };
layout(constant_id = 1) const bool SPREAD = true;
layout(constant_id = 2) const bool INTERLEAVED = false;
layout(constant_id = 3) const uint VEC = 4;
layout(constant_id = 4) const uint FORMAT_Y = 0;
layout(constant_id = 5) const uint FORMAT_X = 0;
#include "pairs.glsl"

void main() {
    // Workgroups are spread over x and y, since 65535 in x is all that Vulkan promises.
    uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint row = SPREAD ? group * gl_NumSubgroups + gl_SubgroupID : group * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
    // Where the invocation's floats begin, and how far apart; gl_SubgroupSize is but a maximum on some drivers.
    uint first = SPREAD ? VEC * gl_SubgroupInvocationID : 0;
    uint next = SPREAD ? VEC * (gl_WorkGroupSize.x / gl_NumSubgroups) : VEC;
    if (row >= rows) return;

    uint token = row / heads, head = row % heads, cols = 2 * half_, quarter = half_ / 2;
    uint at = offX + token * ldX + head * cols;  // the row's first element in x
    float sum = 0.0;
    for (uint c = first; c < cols; c += next) {
        vec4 v = LOAD_AS(FORMAT_X, x, at + c);
        sum = add4(sum, v * v);
    }
    if (SPREAD) sum = subgroupAdd(sum);

    float r = inversesqrt(sum / float(cols) + eps);
    if (first == 0) rstd[row] = r;
    uint to = offY + token * ldY + head * cols;  // the row's first element in y
    uint angle = token % T * half_;              // and in the tables
    for (uint j = first; j < half_; j += next) {
        // Pair j is floats a and b of the row.
        uint a = INTERLEAVED ? 2 * j : (j < quarter ? j : j + quarter), b = a + (INTERLEAVED ? 1 : quarter);
        vec4 c = LOAD(cos_, angle + j), s = LOAD(sin_, angle + j);
        mat2x4 weight = LOAD_PAIRS(w, 0), n = LOAD_PAIRS_AS(FORMAT_X, x, at);
        n = mat2x4(weight[0] * n[0] * r, weight[1] * n[1] * r);
        STORE_PAIRS_AS(FORMAT_Y, y, to, n[0] * c - n[1] * s, n[1] * c + n[0] * s);
    }
}
