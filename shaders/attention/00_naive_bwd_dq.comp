// SPDX-License-Identifier: MIT
// Attention backward as the formula has it, gradient of the queries: one invocation per query row, plain loops.
// Differs from the rung below by nothing: this is the lowest rung.
// Computes: p = exp(scale q.k[j] - lse);  ds = p (do.v[j] - delta);  dq = scale sum_j ds k[j]
// Shapes:   dq, q, k, v, do (B,T,H,D), tokens ldDQ, ldQ, ldK, ldV, ldDO floats apart; lse, delta (B,H,T)
// Push:     T, ldDQ, offDQ, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO (floats), scale = 1/sqrt(D)
// Spec:     0 LOCAL invocations; 1 D, 2 PRECISION, 3 IN_HALVES see attention.glsl
// Dispatch: (ceil(T/LOCAL), H, B); one invocation owns one query row
// Precision: operands fp32, or rounded as attention.glsl says: q, k, v, do as loaded, ds before it multiplies k[j];
//           the rest fp32
// CPU:      kernels/ref/attention.go AttentionBackward
// Forward:  attention/00_naive_fwd.comp; delta comes from attention/delta.comp
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#define HALVES_ID 3
#include "attention.glsl"

layout(local_size_x_id = 0) in;
WRITES(0, dq)
READS_ONES(1, q)
READS_ONES(2, k)
READS_ONES(3, v)
READS_ONES(4, do_)
layout(set = 0, binding = 5, std430) readonly buffer Lse { float lse[]; };
layout(set = 0, binding = 6, std430) readonly buffer Delta { float delta[]; };
layout(push_constant) uniform Push { uint T, ldDQ, offDQ, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO; float scale; };

// First float of a token's head.
uint at(uint token, uint ld, uint off) { return off + (gl_WorkGroupID.z * T + token) * ld + gl_WorkGroupID.y * D; }

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= T) return;
    uint row = (gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * T + i;  // of lse and delta
    uint fromq = at(i, ldQ, offQ), fromdo = at(i, ldDO, offDO), to = at(i, ldDQ, offDQ);

    float sum[D];
    // Loops over D are left rolled: the compiler knows D, and unrolling by it buys nothing but its time.
    [[dont_unroll]] for (uint d = 0; d < D; d++) sum[d] = 0.0;
    for (uint j = 0; j < T; j++) {
        uint fromk = at(j, ldK, offK), fromv = at(j, ldV, offV);
        float s = 0.0, dp = 0.0;
        [[dont_unroll]] for (uint d = 0; d < D; d++) {
            s += OPERAND_ONE(q, fromq + d) * OPERAND_ONE(k, fromk + d);
            dp += OPERAND_ONE(do_, fromdo + d) * OPERAND_ONE(v, fromv + d);
        }
        // The softmax again from its log-sum-exp, then its gradient.
        float p = exp_(scale * s - lse[row]), ds = rounded(p * (dp - delta[row]));
        [[dont_unroll]] for (uint d = 0; d < D; d++) sum[d] += ds * OPERAND_ONE(k, fromk + d);
    }
    [[dont_unroll]] for (uint d = 0; d < D; d += 4)
        STORE(dq, (to + d) / 4, scale * vec4(sum[d], sum[d + 1], sum[d + 2], sum[d + 3]))
}
