// SPDX-License-Identifier: MIT
// Attention forward for CPU drivers: one pass over the keys, each invocation holding its query rows in registers.
// Differs from the rung below by one pass instead of two, the softmax being kept up as keys go by (online softmax), by
//           registers for the query and the output, and by loads: 8 lanes load 8 words of a key and tell each other.
// Computes: s[j] = scale q.k[j];  o = sum_j exp(s[j]) v[j] / sum_j exp(s[j]);  lse = log sum_j exp(s[j])
// Shapes:   o, q, k, v (B,T,H,D), tokens ldO, ldQ, ldK, ldV floats apart; lse (B,H,T)
// Push:     T, ldO, offO, ldQ, offQ, ldK, offK, ldV, offV (floats), scale = 1/sqrt(D)
// Spec:     0 LOCAL = 8; 1 D, 2 PRECISION see attention.glsl; 3 ROWS queries an invocation
// Dispatch: (ceil(T/(8*ROWS)), H, B); one invocation owns ROWS query rows, 8 apart
// Precision: operands fp32, or rounded as attention.glsl says: q, k, v as loaded, exp(s[j] - top) before it multiplies v[j];
//           the rest fp32, four partial sums a dot product
// Numerics: the running maximum `top` is taken off before exp_, so large scores cannot overflow
// Requires: subgroups of 8, all lanes active at every broadcast
// CPU:      kernels/ref/attention.go Attention
// Backward: attention/delta.comp, attention/01_narrow_bwd_dkv.comp, attention/01_narrow_bwd_dq.comp
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_GOOGLE_include_directive : require
#include "attention.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) writeonly buffer O { float o[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Lse { float lse[]; };
layout(set = 0, binding = 2, std430) readonly buffer Q { float q[]; };
layout(set = 0, binding = 3, std430) readonly buffer K { float k[]; };
layout(set = 0, binding = 4, std430) readonly buffer V { float v[]; };
layout(push_constant) uniform Push { uint T, ldO, offO, ldQ, offQ, ldK, offK, ldV, offV; float scale; };
layout(constant_id = 3) const uint ROWS = 1;

const uint LANES = 8;
const float LOWEST = -1e30;  // below any score, and finite, so that LOWEST - LOWEST is 0 and not NaN
#define EACH_LANE(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7)

// First float of a token's head.
uint at(uint token, uint ld, uint off) { return off + (gl_WorkGroupID.z * T + token) * ld + gl_WorkGroupID.y * D; }

void main() {
    uint lane = gl_SubgroupInvocationID;
    uint first = gl_WorkGroupID.x * LANES * ROWS + lane;
    // A lane's rows, in registers; where there are not enough, the driver spills them, which is cheap on a CPU.
    float qr[ROWS * D], acc[ROWS * D], top[ROWS], total[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        // A row past the end computes the last row again and stores nothing.
        uint from = at(min(first + r * LANES, T - 1), ldQ, offQ);
        // Loops over per-lane words stay rolled: unrolled, they alone cost the driver's compiler seconds.
        [[dont_unroll]] for (uint d = 0; d < D; d++) {
            qr[r * D + d] = rounded(q[from + d]);
            acc[r * D + d] = 0.0;
        }
        top[r] = LOWEST;
        total[r] = 0.0;
    }

    for (uint j = 0; j < T; j++) {
        // Scores. A load in a loop is 8 guarded loads here, uniform or not, so the 8 lanes load 8 words and broadcast each.
        vec4 s[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; r++) s[r] = vec4(0.0);
        uint from = at(j, ldK, offK) + lane;
        [[unroll]] for (uint d = 0; d < D; d += LANES) {
            float mine = rounded(k[from + d]);
#define SCORE(l)                                                                              \
    {                                                                                         \
        float kd = subgroupBroadcast(mine, l);                                                \
        [[unroll]] for (uint r = 0; r < ROWS; r++) s[r][l & 3] += qr[r * D + d + l] * kd;     \
    }
            EACH_LANE(SCORE)
        }

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

        // The value, loaded and passed around the same way, weighs p in the output.
        from = at(j, ldV, offV) + lane;
        [[unroll]] for (uint d = 0; d < D; d += LANES) {
            float mine = rounded(v[from + d]);
#define ADD(l)                                                                                \
    {                                                                                         \
        float vd = subgroupBroadcast(mine, l);                                                \
        [[unroll]] for (uint r = 0; r < ROWS; r++)                                            \
            acc[r * D + d + l] = acc[r * D + d + l] * shrink[r] + p[r] * vd;                  \
    }
            EACH_LANE(ADD)
        }
    }

    // The weights are divided by their sum at the end, once.
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint i = first + r * LANES;
        if (i < T) {
            uint to = at(i, ldO, offO);
            [[dont_unroll]] for (uint d = 0; d < D; d++) o[to + d] = acc[r * D + d] / total[r];
            lse[(gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * T + i] = top[r] + log_(total[r]);
        }
    }
}
