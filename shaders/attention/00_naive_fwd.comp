// SPDX-License-Identifier: MIT
// Attention forward as the formula has it: one invocation per query row, two passes over the keys, plain loops.
// Differs from the rung below by nothing: this is the lowest rung.
// Computes: s[j] = scale q.k[j];  o = sum_j exp(s[j]) v[j] / sum_j exp(s[j]);  lse = log sum_j exp(s[j])
// Shapes:   o, q, k, v (B,T,H,D), tokens ldO, ldQ, ldK, ldV floats apart; lse (B,H,T)
// Push:     T, ldO, offO, ldQ, offQ, ldK, offK, ldV, offV (floats), scale = 1/sqrt(D)
// Spec:     0 LOCAL invocations; 1 D, 2 PRECISION, 3 IN_HALVES see attention.glsl
// Dispatch: (ceil(T/LOCAL), H, B); one invocation owns one query row
// Precision: operands fp32, or rounded as attention.glsl says: q, k, v as loaded, exp(s[j] - top) before it multiplies v[j];
//           the rest fp32
// Numerics: the first pass finds the largest score, which the second takes off, so large scores cannot overflow
// CPU:      kernels/ref/attention.go Attention
// Backward: attention/delta.comp, attention/00_naive_bwd_dkv.comp, attention/00_naive_bwd_dq.comp
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#define HALVES_ID 3
#include "attention.glsl"

layout(local_size_x_id = 0) in;
WRITES(0, o)
layout(set = 0, binding = 1, std430) writeonly buffer Lse { float lse[]; };
READS_ONES(2, q)
READS_ONES(3, k)
READS_ONES(4, v)
layout(push_constant) uniform Push { uint T, ldO, offO, ldQ, offQ, ldK, offK, ldV, offV; float scale; };

const float LOWEST = -1e30;

// First float of a token's head.
uint at(uint token, uint ld, uint off) { return off + (gl_WorkGroupID.z * T + token) * ld + gl_WorkGroupID.y * D; }

float score(uint i, uint j) {
    uint a = at(i, ldQ, offQ), b = at(j, ldK, offK);
    float sum = 0.0;
    // Left rolled, here and below: D is known to the compiler, and unrolling by it buys nothing but its time.
    [[dont_unroll]] for (uint d = 0; d < D; d++) sum += OPERAND_ONE(q, a + d) * OPERAND_ONE(k, b + d);
    return scale * sum;
}

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= T) return;

    // First pass: the row's largest score.
    float top = LOWEST;
    for (uint j = 0; j < T; j++) top = max(top, score(i, j));

    // Second pass. The row of scores is computed again rather than kept: T floats an invocation would be T^2 in all.
    float sum[D], total = 0.0;
    [[dont_unroll]] for (uint d = 0; d < D; d++) sum[d] = 0.0;
    for (uint j = 0; j < T; j++) {
        float p = exp_(score(i, j) - top), weight = rounded(p);
        uint from = at(j, ldV, offV);
        total += p;
        [[dont_unroll]] for (uint d = 0; d < D; d++) sum[d] += weight * OPERAND_ONE(v, from + d);
    }
    uint to = at(i, ldO, offO);
    [[dont_unroll]] for (uint d = 0; d < D; d += 4)
        STORE(o, (to + d) / 4, vec4(sum[d], sum[d + 1], sum[d + 2], sum[d + 3]) / total)
    lse[(gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * T + i] = top + log_(total);
}
