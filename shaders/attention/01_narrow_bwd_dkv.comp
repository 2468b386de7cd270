// SPDX-License-Identifier: MIT
// Attention backward for CPU drivers, gradients of keys and values: each invocation owns keys and visits all queries.
// Differs from the rung below by registers for a lane's keys, values and their gradients, and by loads: 8 lanes load 8 words
//           of a query and of its do and tell each other.
// Computes: p = exp(scale q[i].k - lse[i]);  ds = p (do[i].v - delta[i]);  dk = scale sum_i ds q[i];  dv = sum_i p do[i]
// Shapes:   dk, dv, q, k, v, do (B,T,H,D), tokens ldDK, ldDV, ldQ, ldK, ldV, ldDO floats apart; lse, delta (B,H,T)
// Push:     T, ldDK, offDK, ldDV, offDV, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO (floats), scale = 1/sqrt(D)
// Spec:     0 LOCAL = 8; 1 D, 2 PRECISION see attention.glsl; 3 ROWS keys an invocation
// Dispatch: (ceil(T/(8*ROWS)), H, B); one invocation owns ROWS keys, 8 apart, so no two ever add to one place
// Precision: operands fp32, or rounded as attention.glsl says: q, k, v, do as loaded, p and ds before they multiply do[i] and
//           q[i]; the rest fp32, four partial sums a dot product
// Requires: subgroups of 8, all lanes active at every broadcast
// CPU:      kernels/ref/attention.go AttentionBackward
// Forward:  attention/01_narrow_fwd.comp; delta comes from attention/delta.comp
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_GOOGLE_include_directive : require
#include "attention.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) writeonly buffer DK { float dk[]; };
layout(set = 0, binding = 1, std430) writeonly buffer DV { float dv[]; };
layout(set = 0, binding = 2, std430) readonly buffer Q { float q[]; };
layout(set = 0, binding = 3, std430) readonly buffer K { float k[]; };
layout(set = 0, binding = 4, std430) readonly buffer V { float v[]; };
layout(set = 0, binding = 5, std430) readonly buffer DO { float do_[]; };
layout(set = 0, binding = 6, std430) readonly buffer Lse { float lse[]; };
layout(set = 0, binding = 7, std430) readonly buffer Delta { float delta[]; };
layout(push_constant) uniform Push {
    uint T, ldDK, offDK, ldDV, offDV, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO;
    float scale;
};
layout(constant_id = 3) const uint ROWS = 1;

const uint LANES = 8;
#define EACH_LANE(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7)

// First float of a token's head.
uint at(uint token, uint ld, uint off) { return off + (gl_WorkGroupID.z * T + token) * ld + gl_WorkGroupID.y * D; }

void main() {
    uint lane = gl_SubgroupInvocationID;
    uint first = gl_WorkGroupID.x * LANES * ROWS + lane;
    uint head = (gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * T;  // the head's row of lse and delta
    // A lane's rows, in registers; where there are not enough, the driver spills them, which is cheap on a CPU.
    float kr[ROWS * D], vr[ROWS * D], dkr[ROWS * D], dvr[ROWS * D];
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        // A key past the end computes the last one again and stores nothing.
        uint j = min(first + r * LANES, T - 1), fromk = at(j, ldK, offK), fromv = at(j, ldV, offV);
        // Loops over per-lane words stay rolled: unrolled, they alone cost the driver's compiler seconds.
        [[dont_unroll]] for (uint d = 0; d < D; d++) {
            kr[r * D + d] = rounded(k[fromk + d]);
            vr[r * D + d] = rounded(v[fromv + d]);
            dkr[r * D + d] = dvr[r * D + d] = 0.0;
        }
    }

    for (uint i = 0; i < T; i++) {
        // Scores and do.v. The 8 lanes load 8 words each of the query and of do, and broadcast them in turn.
        vec4 s[ROWS], dp[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; r++) s[r] = dp[r] = vec4(0.0);
        uint fromq = at(i, ldQ, offQ) + lane, fromdo = at(i, ldDO, offDO) + lane;
        float qmine[D / LANES], domine[D / LANES];  // this lane's words of the query and of do: each used twice
        [[unroll]] for (uint d = 0; d < D; d += LANES) {
            qmine[d / LANES] = rounded(q[fromq + d]);
            domine[d / LANES] = rounded(do_[fromdo + d]);
#define SCORE(l)                                                                              \
    {                                                                                         \
        float qd = subgroupBroadcast(qmine[d / LANES], l);                                    \
        float dod = subgroupBroadcast(domine[d / LANES], l);                                  \
        [[unroll]] for (uint r = 0; r < ROWS; r++) {                                          \
            s[r][l & 3] += kr[r * D + d + l] * qd;                                            \
            dp[r][l & 3] += vr[r * D + d + l] * dod;                                          \
        }                                                                                     \
    }
            EACH_LANE(SCORE)
        }

        // The softmax again from its log-sum-exp, then its gradient.
        float p[ROWS], ds[ROWS], lsei = lse[head + i], deltai = delta[head + i];
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            p[r] = exp_(scale * ((s[r].x + s[r].y) + (s[r].z + s[r].w)) - lsei);
            ds[r] = rounded(p[r] * (((dp[r].x + dp[r].y) + (dp[r].z + dp[r].w)) - deltai));
            p[r] = rounded(p[r]);
        }
        // dk gathers the queries, weighed by ds; dv gathers do, weighed by p.
        [[unroll]] for (uint d = 0; d < D; d += LANES) {
#define ADD(l)                                                                                \
    {                                                                                         \
        float qd = subgroupBroadcast(qmine[d / LANES], l);                                    \
        float dod = subgroupBroadcast(domine[d / LANES], l);                                  \
        [[unroll]] for (uint r = 0; r < ROWS; r++) {                                          \
            dkr[r * D + d + l] += ds[r] * qd;                                                 \
            dvr[r * D + d + l] += p[r] * dod;                                                 \
        }                                                                                     \
    }
            EACH_LANE(ADD)
        }
    }

    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint j = first + r * LANES;
        if (j < T) {
            uint tok = at(j, ldDK, offDK), tov = at(j, ldDV, offDV);
            [[dont_unroll]] for (uint d = 0; d < D; d++) {
                dk[tok + d] = scale * dkr[r * D + d];
                dv[tov + d] = dvr[r * D + d];
            }
        }
    }
}
