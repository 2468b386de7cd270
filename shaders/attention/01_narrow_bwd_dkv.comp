// SPDX-License-Identifier: MIT
// Attention backward for CPU drivers, gradients of keys and values: each invocation owns keys and visits all queries.
// Differs from the rung below by registers for a lane's keys, values and their gradients, and by loads: 8 lanes load a
//           query and its do together and tell each other.
// Computes: p = exp(scale q[i].k - lse[i]);  ds = p (do[i].v - delta[i]);  dk = scale sum_i ds q[i];  dv = sum_i p do[i]
// Shapes:   dk, dv, q, k, v, do (B,T,H,D), tokens ldDK, ldDV, ldQ, ldK, ldV, ldDO floats apart; lse, delta (B,H,T)
// Push:     T, ldDK, offDK, ldDV, offDV, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO (floats), scale = 1/sqrt(D)
// Spec:     0 LOCAL = 8; 1 D, 2 PRECISION see attention.glsl; 3 ROWS keys an invocation
// Dispatch: (ceil(T/(8*ROWS)), H, B); one invocation owns ROWS keys, 8 apart, so no two ever add to one place
// Precision: operands fp32, or rounded as attention.glsl says: q, k, v, do as loaded, p and ds before they multiply do[i] and
//           q[i]; the rest fp32, four partial sums a dot product
// Requires: subgroups of 8, all lanes active at every broadcast; shaderInt64; strides and offsets in multiples of 4 floats
// CPU:      kernels/ref/attention.go AttentionBackward
// Forward:  attention/01_narrow_fwd.comp; delta comes from attention/delta.comp
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_GOOGLE_include_directive : require
#define HALVES_ID 4
#include "attention.glsl"
#include "words.glsl"

layout(local_size_x_id = 0) in;
WRITES(0, dk)
WRITES(1, dv)
READS_WORDS(2, q)
READS_WORDS(3, k)
READS_WORDS(4, v)
READS_WORDS(5, do_)
layout(set = 0, binding = 6, std430) readonly buffer Lse { float lse[]; };
layout(set = 0, binding = 7, std430) readonly buffer Delta { float delta[]; };
layout(push_constant) uniform Push {
    uint T, ldDK, offDK, ldDV, offDV, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO;
    float scale;
};
layout(constant_id = 3) const uint ROWS = 1;
#include "narrow.glsl"

void main() {
    uint lane = gl_SubgroupInvocationID;
    uint first = gl_WorkGroupID.x * LANES * ROWS + lane;
    uint head = (gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * T;  // the head's row of lse and delta
    // A lane's rows, in registers; where there are not enough, the driver spills them, which is cheap on a CPU.
    float kr[ROWS * D], vr[ROWS * D], dkr[ROWS * D], dvr[ROWS * D];
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        // A key past the end computes the last one again and stores nothing.
        uint j = min(first + r * LANES, T - 1), fromk = at(j, ldK, offK) / 4, fromv = at(j, ldV, offV) / 4;
        // Loops over a lane's own words stay rolled: unrolled, they alone cost the driver's compiler seconds.
        [[dont_unroll]] for (uint d = 0; d < D; d += 4) {
            vec4 x = OPERAND_WORDS(k, fromk + d / 4), y = OPERAND_WORDS(v, fromv + d / 4);
            [[unroll]] for (uint c = 0; c < 4; c++) {
                kr[r * D + d + c] = x[c];
                vr[r * D + d + c] = y[c];
            }
        }
        [[unroll]] for (uint d = 0; d < D; d++) dkr[r * D + d] = dvr[r * D + d] = 0.0;
    }

    // Queries in the order of their tokens, so that each sum has one order and the same bits in every run.
    for (uint i = 0; i < T; i++) {
        // All loads stand first: what follows is then one block of code, which the driver's compiler does not split and sink.
        vec4 qpart[PARTS], dopart[PARTS];
        uint fromq = at(i, ldQ, offQ) / 4, fromdo = at(i, ldDO, offDO) / 4;
        [[unroll]] for (uint g = 0; g < PARTS; g++) {
            qpart[g] = OPERAND_WORDS(q, fromq + quad_of(lane, g));
            dopart[g] = OPERAND_WORDS(do_, fromdo + quad_of(lane, g));
        }
        float lsei = lse[head + i], deltai = delta[head + i];

        // Scores and do.v of the lane's keys: word d of the query and of do comes from the lane that loaded it.
        vec4 s[ROWS], dp[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; r++) s[r] = dp[r] = vec4(0.0);
#define SCORE(l)                                                                              \
    if (32 * g + 4 * l < D) [[unroll]] for (uint c = 0; c < 4; c++) {                         \
        float qd = subgroupBroadcast(qpart[g][c], l), dod = subgroupBroadcast(dopart[g][c], l); \
        uint d = 32 * g + 4 * l + c;                                                          \
        [[unroll]] for (uint r = 0; r < ROWS; r++) {                                          \
            s[r][c] += kr[r * D + d] * qd;                                                    \
            dp[r][c] += vr[r * D + d] * dod;                                                  \
        }                                                                                     \
    }
        [[unroll]] for (uint g = 0; g < PARTS; g++) { EACH_LANE(SCORE) }

        // The softmax again from its log-sum-exp, then its gradient.
        float p[ROWS], ds[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            p[r] = exp_(scale * ((s[r].x + s[r].y) + (s[r].z + s[r].w)) - lsei);
            ds[r] = rounded(p[r] * (((dp[r].x + dp[r].y) + (dp[r].z + dp[r].w)) - deltai));
            p[r] = rounded(p[r]);
        }
        // dk gathers the queries, weighed by ds; dv gathers do, weighed by p.
#define ADD(l)                                                                                \
    if (32 * g + 4 * l < D) [[unroll]] for (uint c = 0; c < 4; c++) {                         \
        float qd = subgroupBroadcast(qpart[g][c], l), dod = subgroupBroadcast(dopart[g][c], l); \
        uint d = 32 * g + 4 * l + c;                                                          \
        [[unroll]] for (uint r = 0; r < ROWS; r++) {                                          \
            dkr[r * D + d] += ds[r] * qd;                                                     \
            dvr[r * D + d] += p[r] * dod;                                                     \
        }                                                                                     \
    }
        [[unroll]] for (uint g = 0; g < PARTS; g++) { EACH_LANE(ADD) }
    }

    // What every query added is scaled once; each token of dk and dv has one writer.
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint j = first + r * LANES;
        if (j < T) {
            uint tok = at(j, ldDK, offDK) / 4, tov = at(j, ldDV, offDV) / 4;
            [[dont_unroll]] for (uint d = 0; d < D; d += 4) {
                uint e = r * D + d;
                STORE(dk, tok + d / 4, scale * vec4(dkr[e], dkr[e + 1], dkr[e + 2], dkr[e + 3]))
                STORE(dv, tov + d / 4, vec4(dvr[e], dvr[e + 1], dvr[e + 2], dvr[e + 3]))
            }
        }
    }
}
