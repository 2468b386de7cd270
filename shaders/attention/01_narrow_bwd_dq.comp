// SPDX-License-Identifier: MIT
// Attention backward for CPU drivers, gradient of the queries: each invocation owns query rows and visits all keys.
// Differs from the rung below by registers for a lane's query, do and dq, and by loads: 8 lanes load 8 words of a key and of
//           a value and tell each other.
// Computes: p = exp(scale q.k[j] - lse);  ds = p (do.v[j] - delta);  dq = scale sum_j ds k[j]
// Shapes:   dq, q, k, v, do (B,T,H,D), tokens ldDQ, ldQ, ldK, ldV, ldDO floats apart; lse, delta (B,H,T)
// Push:     T, ldDQ, offDQ, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO (floats), scale = 1/sqrt(D)
// Spec:     0 LOCAL = 8; 1 D, 2 PRECISION see attention.glsl; 3 ROWS queries an invocation
// Dispatch: (ceil(T/(8*ROWS)), H, B); one invocation owns ROWS query rows, 8 apart
// Precision: operands fp32, or rounded as attention.glsl says: q, k, v, do as loaded, ds before it multiplies k[j];
//           the rest fp32, four partial sums a dot product
// Requires: subgroups of 8, all lanes active at every broadcast
// CPU:      kernels/ref/attention.go AttentionBackward
// Forward:  attention/01_narrow_fwd.comp; delta comes from attention/delta.comp
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_GOOGLE_include_directive : require
#include "attention.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) writeonly buffer DQ { float dq[]; };
layout(set = 0, binding = 1, std430) readonly buffer Q { float q[]; };
layout(set = 0, binding = 2, std430) readonly buffer K { float k[]; };
layout(set = 0, binding = 3, std430) readonly buffer V { float v[]; };
layout(set = 0, binding = 4, std430) readonly buffer DO { float do_[]; };
layout(set = 0, binding = 5, std430) readonly buffer Lse { float lse[]; };
layout(set = 0, binding = 6, std430) readonly buffer Delta { float delta[]; };
layout(push_constant) uniform Push { uint T, ldDQ, offDQ, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO; float scale; };
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
    float qr[ROWS * D], dor[ROWS * D], acc[ROWS * D], lser[ROWS], deltar[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        // A row past the end computes the last row again and stores nothing.
        uint i = min(first + r * LANES, T - 1), fromq = at(i, ldQ, offQ), fromdo = at(i, ldDO, offDO);
        // Loops over per-lane words stay rolled: unrolled, they alone cost the driver's compiler seconds.
        [[dont_unroll]] for (uint d = 0; d < D; d++) {
            qr[r * D + d] = rounded(q[fromq + d]);
            dor[r * D + d] = rounded(do_[fromdo + d]);
            acc[r * D + d] = 0.0;
        }
        lser[r] = lse[head + i];
        deltar[r] = delta[head + i];
    }

    for (uint j = 0; j < T; j++) {
        // Scores and do.v. The 8 lanes load 8 words each of the key and the value, and broadcast them in turn.
        vec4 s[ROWS], dp[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; r++) s[r] = dp[r] = vec4(0.0);
        uint fromk = at(j, ldK, offK) + lane, fromv = at(j, ldV, offV) + lane;
        float kmine[D / LANES];  // this lane's words of the key: used for the scores and again for dq
        [[unroll]] for (uint d = 0; d < D; d += LANES) {
            kmine[d / LANES] = rounded(k[fromk + d]);
            float vmine = rounded(v[fromv + d]);
#define SCORE(l)                                                                              \
    {                                                                                         \
        float kd = subgroupBroadcast(kmine[d / LANES], l), vd = subgroupBroadcast(vmine, l);  \
        [[unroll]] for (uint r = 0; r < ROWS; r++) {                                          \
            s[r][l & 3] += qr[r * D + d + l] * kd;                                            \
            dp[r][l & 3] += dor[r * D + d + l] * vd;                                          \
        }                                                                                     \
    }
            EACH_LANE(SCORE)
        }

        // The softmax again from its log-sum-exp, then its gradient.
        float ds[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            float p = exp_(scale * ((s[r].x + s[r].y) + (s[r].z + s[r].w)) - lser[r]);
            ds[r] = rounded(p * (((dp[r].x + dp[r].y) + (dp[r].z + dp[r].w)) - deltar[r]));
        }
        // dq gathers the keys, each weighed by its ds.
        [[unroll]] for (uint d = 0; d < D; d += LANES) {
#define ADD(l)                                                                                \
    {                                                                                         \
        float kd = subgroupBroadcast(kmine[d / LANES], l);                                    \
        [[unroll]] for (uint r = 0; r < ROWS; r++) acc[r * D + d + l] += ds[r] * kd;          \
    }
            EACH_LANE(ADD)
        }
    }

    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint i = first + r * LANES;
        if (i < T) {
            uint to = at(i, ldDQ, offDQ);
            [[dont_unroll]] for (uint d = 0; d < D; d++) dq[to + d] = scale * acc[r * D + d];
        }
    }
}
