// SPDX-License-Identifier: MIT
// Attention backward on matrix units, pipelined, gradient of the queries: query rows in fragments, tiles of keys and values.
// Differs from the rung below by how the matrix unit is fed, as in 04_pipelined_fwd.comp; keys are staged both ways. And sums begin where
//           they have to be shifted to: at -lse and -delta.
// Computes: p = exp(scale (q.k[j] - lse / scale));  ds = p (do.v[j] - delta);  dq = scale sum_j ds k[j]
// Shapes:   dq, q, k, v, do (B,T,H,D), tokens ldDQ, ldQ, ldK, ldV, ldDO elements apart (multiples of 4, offsets too);
//           lse, delta (B,H,T)
// Push:     T, ldDQ, offDQ, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO (elements), scale = 1/sqrt(D)
// Spec:     see 04_pipelined_fwd.comp
// Dispatch: (ceil(T/(SUBGROUPS*CM)), H, B); each subgroup owns CM query rows
// Precision: fp16 as attention.glsl says: q, k, v, do as staged, ds before it multiplies k[j], by the device's conversion
// Numerics: ds is rounded without scale, which would make it smaller where fp16 ends; exp see 04_pipelined_fwd.comp
// Requires: VK_KHR_cooperative_matrix f16 x f16 + f32 and + f16, shaderFloat16, vulkanMemoryModel, full subgroups
// CPU:      kernels/ref/attention.go AttentionBackward
// Forward:  attention/04_pipelined_fwd.comp; delta comes from attention/delta.comp
// glslc: sid --target-env=vulkan1.3
#version 450
#extension GL_GOOGLE_include_directive : require
#define SW (CN / 4) // a fragment to a subgroup
#define HALVES_ID 10
#define TURNS 1
#include "pipelined.glsl"

WRITES(0, dq)
READS(1, q)
READS(2, k)
READS(3, v)
READS(4, do_)
layout(set = 0, binding = 5, std430) restrict readonly buffer Lse { float lse[]; };
layout(set = 0, binding = 6, std430) restrict readonly buffer Delta { float delta[]; };
layout(push_constant) uniform Push { uint T, ldDQ, offDQ, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO; float scale; };

shared f16vec4 weights[ROWS * PW];  // ds

void main() {
    zero = T >> 31;
    uint first = gl_WorkGroupID.x * ROWS, own = first + row();
    uint head = (gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * T;  // the head's row of lse and delta
    float to_log2 = scale * LOG2_E;
    FETCH_OWN(0, q, first, ldQ, offQ)
    FETCH_OWN(1, do_, first, ldDO, offDO)
    float own_lse = lse[head + min(own, T - 1)], own_delta = delta[head + min(own, T - 1)];
    FETCH(0, k, 0, ldK, offK)
    FETCH(1, v, 0, ldV, offV)
    HALVES_A qs[FK], dos[FK];
    stage_own(0, halves_q);
    FRAGMENTS(f, FK) qs[f] = left(mine(), f * CK);
    stage_own(1, halves_do_);
    FRAGMENTS(f, FK) dos[f] = left(mine(), f * CK);
    SUMS no_s = each_row(-own_lse / scale), no_ds = each_row(-own_delta), acc[FN];
    FRAGMENTS(f, FN) acc[f] = SUMS(0.0);

    for (uint j0 = 0; j0 < T; j0 += TILE) {
        // What was staged before, do at first, and the weights have been read by all before any is overwritten.
        barrier();
        stage(0, halves_k);
        if (TURN) stage_turned(0, halves_k);
        stage(1, halves_v);
        // The tile has been written by all before any of it is read.
        barrier();
        FETCH(0, k, j0 + TILE, ldK, offK)
        FETCH(1, v, j0 + TILE, ldV, offV)

        FRAGMENTS(n, TILE / CN) {
            SUMS s = no_s, ds = no_ds;
            FRAGMENTS(f, FK) {
                s = coopMatMulAdd(qs[f], right_transposed(n * CN, f * CK), s);
                ds = coopMatMulAdd(dos[f], right_transposed(TILE + n * CN, f * CK), ds);
            }
            [[unroll]] for (uint e = 0; e < s.length(); e++) ds[e] *= exp2(s[e] * to_log2);
            coopMatStore(HALVES(ds), weights, mine() * PW + n * CN / 4, PW, gl_CooperativeMatrixLayoutRowMajor);
        }
        // The subgroup's weights are written before any is read.
        meet();
        if (j0 + TILE > T) {
            // Past the last key lies that key again, which has been counted.
            FRAGMENTS(u, (TILE / 4 + PARTS - 1) / PARTS) {
                uint c = u * PARTS + part();
                bvec4 inside = lessThan(j0 + 4 * c + uvec4(0, 1, 2, 3), uvec4(T));
                if (c < TILE / 4) weights[row() * PW + c] = mix(f16vec4(0.0), weights[row() * PW + c], inside);
            }
            // They are gone before any weight is read.
            meet();
        }
        FRAGMENTS(n, TILE / CK) {
            HALVES_A ds;
            coopMatLoad(ds, weights, mine() * PW + n * CK / 4, PW, gl_CooperativeMatrixLayoutRowMajor);
            FRAGMENTS(f, FN) acc[f] = coopMatMulAdd(ds, down(0, n * CK, f * CN), acc[f]);
        }
    }

    FRAGMENTS(f, FN) {
        spread(acc[f]);
        [[unroll]] for (uint u = 0; u < CN / 4; u += PARTS) {
            uint c = u + part(), d = f * CN / 4 + c;
            if (own < T && c < CN / 4 && d < D / 4)
                STORE(dq, head_at(T, ldDQ, offDQ) + own * (ldDQ / 4) + d, scale * scratch[row() * SW + c])
        }
    }
}
