// SPDX-License-Identifier: MIT
// Attention backward on matrix units, gradient of the queries: query rows in fragments, tiles of keys and values.
// Differs from the rung below by who multiplies: the matrix unit. Weights are found in the fragments themselves: lse and delta,
//           spread over fragments, lie where the scores of their row do.
// Computes: p = exp(scale q.k[j] - lse);  ds = p (do.v[j] - delta);  dq = scale sum_j ds k[j]
// Shapes:   dq, q, k, v, do (B,T,H,D), tokens ldDQ, ldQ, ldK, ldV, ldDO floats apart (multiples of 4, offsets too);
//           lse, delta (B,H,T)
// Push:     T, ldDQ, offDQ, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO (floats), scale = 1/sqrt(D)
// Spec:     see 03_coopmat_fwd.comp
// Dispatch: (ceil(T/(SUBGROUPS*CM)), H, B); each subgroup owns CM query rows
// Precision: fp16 as attention.glsl says: q, k, v, do as staged, ds before it multiplies k[j], by the device's conversion
// Numerics: ds is rounded without scale, which would make it smaller where fp16 ends
// Requires: VK_KHR_cooperative_matrix f16 x f16 + f32 and + f16, shaderFloat16, vulkanMemoryModel, full subgroups
// CPU:      kernels/ref/attention.go AttentionBackward
// Forward:  attention/03_coopmat_fwd.comp; delta comes from attention/delta.comp
// glslc: sid --target-env=vulkan1.3
#version 450
#extension GL_GOOGLE_include_directive : require
#define SW (CN / 4) // a fragment to a subgroup
#define HALVES_ID 9
#include "coopmat.glsl"

WRITES(0, dq)
READS(1, q)
READS(2, k)
READS(3, v)
READS(4, do_)
layout(set = 0, binding = 5, std430) readonly buffer Lse { float lse[]; };
layout(set = 0, binding = 6, std430) readonly buffer Delta { float delta[]; };
layout(push_constant) uniform Push { uint T, ldDQ, offDQ, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO; float scale; };

shared f16vec4 weights[ROWS * PW];  // ds

// First vec4 of a token's head.
uint at(uint token, uint ld, uint off) {
    return (off + (gl_WorkGroupID.z * T + token) * ld + gl_WorkGroupID.y * D) / 4;
}

void main() {
    zero = T >> 31;
    uint first = gl_WorkGroupID.x * ROWS, own = first + row();
    uint head = (gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * T;  // the head's row of lse and delta
    HALVES_A qs[FK], dos[FK];
    for (uint n = gl_LocalInvocationIndex; n < ROWS * QUADS; n += gl_WorkGroupSize.x) {
        uint i = first + n / QUADS, d = n % QUADS;
        staged[n / QUADS * W + d] = i < T && d < D / 4 ? f16vec4(FOUR(q, at(i, ldQ, offQ) + d)) : f16vec4(0.0);
    }
    // All queries are written before any is read.
    barrier();
    FRAGMENTS(f, FK) qs[f] = left(mine(), f * CK);
    // All queries have been read before do overwrites them.
    barrier();
    for (uint n = gl_LocalInvocationIndex; n < ROWS * QUADS; n += gl_WorkGroupSize.x) {
        uint i = first + n / QUADS, d = n % QUADS;
        staged[n / QUADS * W + d] = i < T && d < D / 4 ? f16vec4(FOUR(do_, at(i, ldDO, offDO) + d)) : f16vec4(0.0);
    }
    // All of do is written before any is read.
    barrier();
    FRAGMENTS(f, FK) dos[f] = left(mine(), f * CK);
    SUMS lses = each_row(own < T ? lse[head + own] : 0.0), deltas = each_row(own < T ? delta[head + own] : 0.0);
    SUMS acc[FN];
    FRAGMENTS(f, FN) acc[f] = SUMS(0.0);

    for (uint j0 = 0; j0 < T; j0 += TILE) {
        // What was staged before, do at first, and the weights have been read by all before any is overwritten.
        barrier();
        for (uint n = gl_LocalInvocationIndex; n < TILE * QUADS; n += gl_WorkGroupSize.x) {
            uint j = j0 + n / QUADS, d = n % QUADS, to = n / QUADS * W + d;
            bool inside = j < T && d < D / 4;
            staged[to] = inside ? f16vec4(FOUR(k, at(j, ldK, offK) + d)) : f16vec4(0.0);
            staged[TILE * W + to] = inside ? f16vec4(FOUR(v, at(j, ldV, offV) + d)) : f16vec4(0.0);
        }
        // The tile has been written by all before any of it is read.
        barrier();

        for (uint n = 0; n < TILE; n += CN) {
            SUMS s = SUMS(0.0), ds = SUMS(0.0);
            FRAGMENTS(f, FK) {
                s = coopMatMulAdd(qs[f], right_transposed(n, f * CK), s);
                ds = coopMatMulAdd(dos[f], right_transposed(TILE + n, f * CK), ds);
            }
            for (uint e = 0; e < s.length(); e++) ds[e] = exp_(scale * s[e] - lses[e]) * (ds[e] - deltas[e]);
            coopMatStore(HALVES(ds), weights, mine() * PW + n / 4, PW, gl_CooperativeMatrixLayoutRowMajor);
        }
        // The subgroup's weights are written before any is read.
        meet();
        if (j0 + TILE > T) {
            // Keys past the end have a p, too: zeros in shared memory do not help where their ds is infinite in fp16.
            for (uint c = part(); c < TILE / 4; c += PARTS) {
                bvec4 inside = lessThan(j0 + 4 * c + uvec4(0, 1, 2, 3), uvec4(T));
                weights[row() * PW + c] = mix(f16vec4(0.0), weights[row() * PW + c], inside);
            }
            // They are gone before any weight is read.
            meet();
        }
        for (uint n = 0; n < TILE; n += CK) {
            HALVES_A ds;
            coopMatLoad(ds, weights, mine() * PW + n / 4, PW, gl_CooperativeMatrixLayoutRowMajor);
            FRAGMENTS(f, FN) acc[f] = coopMatMulAdd(ds, right(n, f * CN), acc[f]);
        }
    }

    FRAGMENTS(f, FN) {
        spread(acc[f]);
        [[unroll]] for (uint u = 0; u < CN / 4; u += PARTS) {
            uint c = u + part(), d = f * CN / 4 + c;
            if (own < T && c < CN / 4 && d < D / 4) STORE(dq, at(own, ldDQ, offDQ) + d, scale * scratch[row() * SW + c])
        }
    }
}
