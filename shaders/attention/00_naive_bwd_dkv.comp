// SPDX-License-Identifier: MIT
// Attention backward as the formula has it, gradients of keys and values: one invocation per key, plain loops.
// Differs from the rung below by nothing: this is the lowest rung.
// Computes: p = exp(scale q[i].k - lse[i]);  ds = p (do[i].v - delta[i]);  dk = scale sum_i ds q[i];  dv = sum_i p do[i]
// Shapes:   dk, dv, q, k, v, do (B,T,H,D), tokens ldDK, ldDV, ldQ, ldK, ldV, ldDO floats apart; lse, delta (B,H,T)
// Push:     T, ldDK, offDK, ldDV, offDV, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO (floats), scale = 1/sqrt(D)
// Spec:     0 LOCAL invocations; 1 D, 2 PRECISION, 3 IN_HALVES see attention.glsl
// Dispatch: (ceil(T/LOCAL), H, B); one invocation owns one key and visits all queries, so no two ever add to one place
// Precision: operands fp32, or rounded as attention.glsl says: q, k, v, do as loaded, p and ds before they multiply do[i] and
//           q[i]; the rest fp32
// CPU:      kernels/ref/attention.go AttentionBackward
// Forward:  attention/00_naive_fwd.comp; delta comes from attention/delta.comp
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#define HALVES_ID 3
#include "attention.glsl"

layout(local_size_x_id = 0) in;
WRITES(0, dk)
WRITES(1, dv)
READS_ONES(2, q)
READS_ONES(3, k)
READS_ONES(4, v)
READS_ONES(5, do_)
layout(set = 0, binding = 6, std430) readonly buffer Lse { float lse[]; };
layout(set = 0, binding = 7, std430) readonly buffer Delta { float delta[]; };
layout(push_constant) uniform Push {
    uint T, ldDK, offDK, ldDV, offDV, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO;
    float scale;
};

// First float of a token's head.
uint at(uint token, uint ld, uint off) { return off + (gl_WorkGroupID.z * T + token) * ld + gl_WorkGroupID.y * D; }

void main() {
    uint j = gl_GlobalInvocationID.x;
    if (j >= T) return;
    uint head = (gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * T;  // the head's row of lse and delta
    uint fromk = at(j, ldK, offK), fromv = at(j, ldV, offV), tok = at(j, ldDK, offDK), tov = at(j, ldDV, offDV);

    float sumk[D], sumv[D];
    // Loops over D are left rolled: the compiler knows D, and unrolling by it buys nothing but its time.
    [[dont_unroll]] for (uint d = 0; d < D; d++) sumk[d] = sumv[d] = 0.0;
    for (uint i = 0; i < T; i++) {
        uint fromq = at(i, ldQ, offQ), fromdo = at(i, ldDO, offDO);
        float s = 0.0, dp = 0.0;
        [[dont_unroll]] for (uint d = 0; d < D; d++) {
            s += OPERAND_ONE(q, fromq + d) * OPERAND_ONE(k, fromk + d);
            dp += OPERAND_ONE(do_, fromdo + d) * OPERAND_ONE(v, fromv + d);
        }
        // The softmax again from its log-sum-exp, then its gradient.
        float p = exp_(scale * s - lse[head + i]), ds = rounded(p * (dp - delta[head + i])), weight = rounded(p);
        [[dont_unroll]] for (uint d = 0; d < D; d++) {
            sumk[d] += ds * OPERAND_ONE(q, fromq + d);
            sumv[d] += weight * OPERAND_ONE(do_, fromdo + d);
        }
    }
    [[dont_unroll]] for (uint d = 0; d < D; d += 4) {
        STORE(dk, (tok + d) / 4, scale * vec4(sumk[d], sumk[d + 1], sumk[d + 2], sumk[d + 3]))
        STORE(dv, (tov + d) / 4, vec4(sumv[d], sumv[d + 1], sumv[d + 2], sumv[d + 3]))
    }
}
