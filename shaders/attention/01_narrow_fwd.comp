// SPDX-License-Identifier: MIT
// Attention forward for CPU drivers: one pass over the keys, each invocation holding its query rows in registers.
// Differs from the rung below by one pass instead of two, the softmax being kept up as keys go by (online softmax), by
//           registers for the query and the output, and by loads: 8 lanes load a key together and tell each other.
// Computes: s[j] = scale q.k[j];  o = sum_j exp(s[j]) v[j] / sum_j exp(s[j]);  lse = log sum_j exp(s[j])
// Shapes:   o, q, k, v (B,T,H,D), tokens ldO, ldQ, ldK, ldV floats apart; lse (B,H,T)
// Push:     T, ldO, offO, ldQ, offQ, ldK, offK, ldV, offV (floats), scale = 1/sqrt(D)
// Spec:     0 LOCAL = 8; 1 D, 2 PRECISION see attention.glsl; 3 ROWS queries an invocation
// Dispatch: (ceil(T/(8*ROWS)), H, B); one invocation owns ROWS query rows, 8 apart
// Precision: operands fp32, or rounded as attention.glsl says: q, k, v as loaded, exp(s[j] - top) before it multiplies v[j];
//           the rest fp32, four partial sums a dot product
// Numerics: the running maximum `top` is taken off before exp_, so large scores cannot overflow
// Requires: subgroups of 8, all lanes active at every broadcast; shaderInt64; strides and offsets in multiples of 4 floats
// CPU:      kernels/ref/attention.go Attention
// Backward: attention/delta.comp, attention/01_narrow_bwd_dkv.comp, attention/01_narrow_bwd_dq.comp
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_GOOGLE_include_directive : require
#define HALVES_ID 4
#include "attention.glsl"
#include "words.glsl"

layout(local_size_x_id = 0) in;
WRITES(0, o)
layout(set = 0, binding = 1, std430) writeonly buffer Lse { float lse[]; };
READS_WORDS(2, q)
READS_WORDS(3, k)
READS_WORDS(4, v)
layout(push_constant) uniform Push { uint T, ldO, offO, ldQ, offQ, ldK, offK, ldV, offV; float scale; };
layout(constant_id = 3) const uint ROWS = 1;
#include "narrow.glsl"

const float LOWEST = -1e30;  // below any score, and finite, so that LOWEST - LOWEST is 0 and not NaN

void main() {
    uint lane = gl_SubgroupInvocationID;
    uint first = gl_WorkGroupID.x * LANES * ROWS + lane;
    // A lane's rows, in registers; where there are not enough, the driver spills them, which is cheap on a CPU.
    float qr[ROWS * D], acc[ROWS * D], top[ROWS], total[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        // A row past the end computes the last row again and stores nothing.
        uint from = at(min(first + r * LANES, T - 1), ldQ, offQ) / 4;
        // Loops over a lane's own words stay rolled: unrolled, they alone cost the driver's compiler seconds.
        [[dont_unroll]] for (uint d = 0; d < D; d += 4) {
            vec4 x = OPERAND_WORDS(q, from + d / 4);
            [[unroll]] for (uint c = 0; c < 4; c++) qr[r * D + d + c] = x[c];
        }
        [[unroll]] for (uint d = 0; d < D; d++) acc[r * D + d] = 0.0;
        top[r] = LOWEST;
        total[r] = 0.0;
    }

    for (uint j = 0; j < T; j++) {
        // All loads stand first: what follows is then one block of code, which the driver's compiler does not split and sink.
        vec4 kpart[PARTS], vpart[PARTS];
        uint fromk = at(j, ldK, offK) / 4, fromv = at(j, ldV, offV) / 4;
        [[unroll]] for (uint i = 0; i < PARTS; i++) {
            kpart[i] = OPERAND_WORDS(k, fromk + quad_of(lane, i));
            vpart[i] = OPERAND_WORDS(v, fromv + quad_of(lane, i));
        }

        // Scores.
        vec4 s[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; r++) s[r] = vec4(0.0);
#define SCORE(l)                                                                              \
    if (32 * i + 4 * l < D) [[unroll]] for (uint c = 0; c < 4; c++) {                         \
        float kd = subgroupBroadcast(kpart[i][c], l);                                         \
        uint d = 32 * i + 4 * l + c;                                                          \
        [[unroll]] for (uint r = 0; r < ROWS; r++) s[r][c] += qr[r * D + d] * kd;             \
    }
        [[unroll]] for (uint i = 0; i < PARTS; i++) { EACH_LANE(SCORE) }

        // A new maximum shrinks what has been summed so far.
        float p[ROWS], shrink[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            float score = scale * ((s[r].x + s[r].y) + (s[r].z + s[r].w));
            float m = max(top[r], score);
            shrink[r] = exp_(top[r] - m);
            p[r] = exp_(score - m);
            top[r] = m;
            total[r] = total[r] * shrink[r] + p[r];
            p[r] = rounded(p[r]);
        }

        // p weighs the value in the output.
#define ADD(l)                                                                                \
    if (32 * i + 4 * l < D) [[unroll]] for (uint c = 0; c < 4; c++) {                         \
        float vd = subgroupBroadcast(vpart[i][c], l);                                         \
        uint d = 32 * i + 4 * l + c;                                                          \
        [[unroll]] for (uint r = 0; r < ROWS; r++)                                            \
            acc[r * D + d] = acc[r * D + d] * shrink[r] + p[r] * vd;                          \
    }
        [[unroll]] for (uint i = 0; i < PARTS; i++) { EACH_LANE(ADD) }
    }

    // The weights are divided by their sum at the end, once.
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint i = first + r * LANES;
        if (i < T) {
            uint to = at(i, ldO, offO) / 4;
            [[dont_unroll]] for (uint d = 0; d < D; d += 4) {
                uint e = r * D + d;
                STORE(o, to + d / 4, vec4(acc[e], acc[e + 1], acc[e + 2], acc[e + 3]) / total[r])
            }
            lse[(gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * T + i] = top[r] + log_(total[r]);
        }
    }
}
