// SPDX-License-Identifier: MIT
// Attention backward on matrix units, pipelined, gradients of keys and values: their rows in fragments, tiles of queries and do.
// Differs from the rung below by how the matrix unit is fed, as in 04_pipelined_fwd.comp; queries and do are staged both ways. lse and
//           delta are loaded once for a tile, not once for each row of a fragment, and sums begin at them.
// Computes: p = exp(scale (q[i].k - lse[i] / scale));  ds = p (do[i].v - delta[i]);  dk = scale sum_i ds q[i];  dv = sum_i p do[i]
// Shapes:   dk, dv, q, k, v, do (B,T,H,D), tokens ldDK, ldDV, ldQ, ldK, ldV, ldDO elements apart (multiples of 4, offsets
//           too); lse, delta (B,H,T)
// Push:     T, ldDK, offDK, ldDV, offDV, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO (elements), scale = 1/sqrt(D)
// Spec:     see 04_pipelined_fwd.comp; TILE queries
// Dispatch: (ceil(T/(SUBGROUPS*CM)), H, B); each subgroup owns CM keys
// Precision: fp16 as attention.glsl says: q, k, v, do as staged, p and ds before they multiply, by the device's conversion
// Numerics: ds is rounded without scale, which would make it smaller where fp16 ends; exp see 04_pipelined_fwd.comp
// Requires: VK_KHR_cooperative_matrix f16 x f16 + f32 and + f16, shaderFloat16, vulkanMemoryModel, full subgroups
// CPU:      kernels/ref/attention.go AttentionBackward
// Forward:  attention/04_pipelined_fwd.comp; delta comes from attention/delta.comp
// glslc: sid --target-env=vulkan1.3
#version 450
#extension GL_GOOGLE_include_directive : require
#define SW (CN / 4) // a fragment to a subgroup
#define HALVES_ID 10
#define TURNS 2
#include "pipelined.glsl"

WRITES(0, dk)
WRITES(1, dv)
READS(2, q)
READS(3, k)
READS(4, v)
READS(5, do_)
layout(set = 0, binding = 6, std430) restrict readonly buffer Lse { float lse[]; };
layout(set = 0, binding = 7, std430) restrict readonly buffer Delta { float delta[]; };
layout(push_constant) uniform Push {
    uint T, ldDK, offDK, ldDV, offDV, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO;
    float scale;
};

const float NOTHING = -1e30;            // a score whose p is 0: that of a query past the last one
shared f16vec4 weights[2 * ROWS * PW];  // p, below it ds
shared float stats[2 * CM * TILE];      // CM equal rows of -lse / scale, CM of -delta

// An invocation's lse and delta of the tile that begins with query `first`. All rows of a fragment are alike, so it stages them again
// for each STATS times LOCAL elements further on.
const uint STATS = (TILE + LOCAL - 1) / LOCAL;
float next_lse[STATS], next_delta[STATS];
#define FETCH_STATS(first) FRAGMENTS(u, STATS) { \
    uint from = head + min((first) + (u * LOCAL + gl_LocalInvocationIndex) % TILE, T - 1); \
    next_lse[u] = lse[from]; \
    next_delta[u] = delta[from]; \
}

void main() {
    zero = T >> 31;
    uint first = gl_WorkGroupID.x * ROWS, own = first + row();
    uint head = (gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * T;  // the head's row of lse and delta
    float to_log2 = scale * LOG2_E;
    FETCH_OWN(0, k, first, ldK, offK)
    FETCH_OWN(1, v, first, ldV, offV)
    FETCH(0, q, 0, ldQ, offQ)
    FETCH(1, do_, 0, ldDO, offDO)
    FETCH_STATS(0)
    HALVES_A ks[FK], vs[FK];
    stage_own(0, halves_k);
    FRAGMENTS(f, FK) ks[f] = left(mine(), f * CK);
    stage_own(1, halves_v);
    FRAGMENTS(f, FK) vs[f] = left(mine(), f * CK);
    SUMS dks[FN], dvs[FN];
    FRAGMENTS(f, FN) dks[f] = dvs[f] = SUMS(0.0);

    for (uint i0 = 0; i0 < T; i0 += TILE) {
        // What was staged before, values at first, and the weights have been read by all before any is overwritten.
        barrier();
        stage(0, halves_q);
        stage(1, halves_do_);
        if (TURN) {
            stage_turned(0, halves_q);
            stage_turned(1, halves_do_);
        }
        FRAGMENTS(u, (CM * TILE + LOCAL - 1) / LOCAL) {
            uint n = u * LOCAL + gl_LocalInvocationIndex;
            if (CM * TILE % LOCAL == 0 || n < CM * TILE) {
                stats[n] = i0 + n % TILE < T ? -next_lse[u % STATS] / scale : NOTHING;
                stats[CM * TILE + n] = -next_delta[u % STATS];
            }
        }
        // The tile has been written by all before any of it is read.
        barrier();
        FETCH(0, q, i0 + TILE, ldQ, offQ)
        FETCH(1, do_, i0 + TILE, ldDO, offDO)
        FETCH_STATS(i0 + TILE)

        // Past the last query lies that query again, with a p of 0, and so ds.
        FRAGMENTS(n, TILE / CN) {
            SUMS p, ds;
            coopMatLoad(p, stats, n * CN, TILE, gl_CooperativeMatrixLayoutRowMajor);
            coopMatLoad(ds, stats, CM * TILE + n * CN, TILE, gl_CooperativeMatrixLayoutRowMajor);
            FRAGMENTS(f, FK) {
                p = coopMatMulAdd(ks[f], right_transposed(n * CN, f * CK), p);
                ds = coopMatMulAdd(vs[f], right_transposed(TILE + n * CN, f * CK), ds);
            }
            [[unroll]] for (uint e = 0; e < p.length(); e++) {
                p[e] = exp2(p[e] * to_log2);
                ds[e] *= p[e];
            }
            coopMatStore(HALVES(p), weights, mine() * PW + n * CN / 4, PW, gl_CooperativeMatrixLayoutRowMajor);
            coopMatStore(HALVES(ds), weights, (ROWS + mine()) * PW + n * CN / 4, PW, gl_CooperativeMatrixLayoutRowMajor);
        }
        // The subgroup's weights are written before any is read.
        meet();
        FRAGMENTS(n, TILE / CK) {
            HALVES_A p, ds;
            coopMatLoad(p, weights, mine() * PW + n * CK / 4, PW, gl_CooperativeMatrixLayoutRowMajor);
            coopMatLoad(ds, weights, (ROWS + mine()) * PW + n * CK / 4, PW, gl_CooperativeMatrixLayoutRowMajor);
            FRAGMENTS(f, FN) {
                dvs[f] = coopMatMulAdd(p, down(1, n * CK, f * CN), dvs[f]);
                dks[f] = coopMatMulAdd(ds, down(0, n * CK, f * CN), dks[f]);
            }
        }
    }

    FRAGMENTS(f, FN) {
        spread(dks[f]);
        [[unroll]] for (uint u = 0; u < CN / 4; u += PARTS) {
            uint c = u + part(), d = f * CN / 4 + c;
            if (own < T && c < CN / 4 && d < D / 4)
                STORE(dk, head_at(T, ldDK, offDK) + own * (ldDK / 4) + d, scale * scratch[row() * SW + c])
        }
        spread(dvs[f]);
        [[unroll]] for (uint u = 0; u < CN / 4; u += PARTS) {
            uint c = u + part(), d = f * CN / 4 + c;
            if (own < T && c < CN / 4 && d < D / 4)
                STORE(dv, head_at(T, ldDV, offDV) + own * (ldDV / 4) + d, scratch[row() * SW + c])
        }
    }
}
