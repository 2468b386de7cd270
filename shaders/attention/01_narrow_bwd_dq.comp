// SPDX-License-Identifier: MIT
// Attention backward for CPU drivers, gradient of the queries: each invocation owns query rows and visits all keys.
// Differs from the rung below by registers for a lane's query, do and dq, and by loads: 8 lanes load a key and a value
//           together and tell each other.
// Computes: p = exp(scale q.k[j] - lse);  ds = p (do.v[j] - delta);  dq = scale sum_j ds k[j]
// Shapes:   dq, q, k, v, do (B,T,H,D), tokens ldDQ, ldQ, ldK, ldV, ldDO floats apart; lse, delta (B,H,T)
// Push:     T, ldDQ, offDQ, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO (floats), scale = 1/sqrt(D)
// Spec:     0 LOCAL = 8; 1 D, 2 PRECISION see attention.glsl; 3 ROWS queries an invocation
// Dispatch: (ceil(T/(8*ROWS)), H, B); one invocation owns ROWS query rows, 8 apart
// Precision: operands fp32, or rounded as attention.glsl says: q, k, v, do as loaded, ds before it multiplies k[j];
//           the rest fp32, four partial sums a dot product
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
WRITES(0, dq)
READS_WORDS(1, q)
READS_WORDS(2, k)
READS_WORDS(3, v)
READS_WORDS(4, do_)
layout(set = 0, binding = 5, std430) readonly buffer Lse { float lse[]; };
layout(set = 0, binding = 6, std430) readonly buffer Delta { float delta[]; };
layout(push_constant) uniform Push { uint T, ldDQ, offDQ, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO; float scale; };
layout(constant_id = 3) const uint ROWS = 1;
#include "narrow.glsl"

void main() {
    uint lane = gl_SubgroupInvocationID;
    uint first = gl_WorkGroupID.x * LANES * ROWS + lane;
    uint head = (gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * T;  // the head's row of lse and delta
    // A lane's rows, in registers; where there are not enough, the driver spills them, which is cheap on a CPU.
    float qr[ROWS * D], dor[ROWS * D], acc[ROWS * D], lser[ROWS], deltar[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        // A row past the end computes the last row again and stores nothing.
        uint i = min(first + r * LANES, T - 1), fromq = at(i, ldQ, offQ) / 4, fromdo = at(i, ldDO, offDO) / 4;
        // Loops over a lane's own words stay rolled: unrolled, they alone cost the driver's compiler seconds.
        [[dont_unroll]] for (uint d = 0; d < D; d += 4) {
            vec4 x = OPERAND_WORDS(q, fromq + d / 4), y = OPERAND_WORDS(do_, fromdo + d / 4);
            [[unroll]] for (uint c = 0; c < 4; c++) {
                qr[r * D + d + c] = x[c];
                dor[r * D + d + c] = y[c];
            }
        }
        [[unroll]] for (uint d = 0; d < D; d++) acc[r * D + d] = 0.0;
        lser[r] = lse[head + i];
        deltar[r] = delta[head + i];
    }

    for (uint j = 0; j < T; j++) {
        // All loads stand first: what follows is then one block of code, which the driver's compiler does not split and sink.
        vec4 kpart[PARTS], vpart[PARTS];
        uint fromk = at(j, ldK, offK) / 4, fromv = at(j, ldV, offV) / 4;
        [[unroll]] for (uint i = 0; i < PARTS; i++) {
            kpart[i] = OPERAND_WORDS(k, fromk + quad_of(lane, i));
            vpart[i] = OPERAND_WORDS(v, fromv + quad_of(lane, i));
        }

        // Scores and do.v.
        vec4 s[ROWS], dp[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; r++) s[r] = dp[r] = vec4(0.0);
#define SCORE(l)                                                                              \
    if (32 * i + 4 * l < D) [[unroll]] for (uint c = 0; c < 4; c++) {                         \
        float kd = subgroupBroadcast(kpart[i][c], l), vd = subgroupBroadcast(vpart[i][c], l); \
        uint d = 32 * i + 4 * l + c;                                                          \
        [[unroll]] for (uint r = 0; r < ROWS; r++) {                                          \
            s[r][c] += qr[r * D + d] * kd;                                                    \
            dp[r][c] += dor[r * D + d] * vd;                                                  \
        }                                                                                     \
    }
        [[unroll]] for (uint i = 0; i < PARTS; i++) { EACH_LANE(SCORE) }

        // The softmax again from its log-sum-exp, then its gradient.
        float ds[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            float p = exp_(scale * ((s[r].x + s[r].y) + (s[r].z + s[r].w)) - lser[r]);
            ds[r] = rounded(p * (((dp[r].x + dp[r].y) + (dp[r].z + dp[r].w)) - deltar[r]));
        }
        // dq gathers the keys, each weighed by its ds.
#define ADD(l)                                                                                \
    if (32 * i + 4 * l < D) [[unroll]] for (uint c = 0; c < 4; c++) {                         \
        float kd = subgroupBroadcast(kpart[i][c], l);                                         \
        uint d = 32 * i + 4 * l + c;                                                          \
        [[unroll]] for (uint r = 0; r < ROWS; r++) acc[r * D + d] += ds[r] * kd;              \
    }
        [[unroll]] for (uint i = 0; i < PARTS; i++) { EACH_LANE(ADD) }
    }

    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint i = first + r * LANES;
        if (i < T) {
            uint to = at(i, ldDQ, offDQ) / 4;
            [[dont_unroll]] for (uint d = 0; d < D; d += 4) {
                uint e = r * D + d;
                STORE(dq, to + d / 4, scale * vec4(acc[e], acc[e + 1], acc[e + 2], acc[e + 3]))
            }
        }
    }
}
