// SPDX-License-Identifier: MIT
// Attention backward on matrix units, gradients of keys and values: their rows in fragments, tiles of queries and do.
// Differs from the rung below by who multiplies: the matrix unit. A row of a fragment is a key, a column a query: lse and delta
//           are staged with the tile, once for each row of a fragment, and weights found in the fragments themselves.
// Computes: p = exp(scale q[i].k - lse[i]);  ds = p (do[i].v - delta[i]);  dk = scale sum_i ds q[i];  dv = sum_i p do[i]
// Shapes:   dk, dv, q, k, v, do (B,T,H,D), tokens ldDK, ldDV, ldQ, ldK, ldV, ldDO floats apart (multiples of 4, offsets
//           too); lse, delta (B,H,T)
// Push:     T, ldDK, offDK, ldDV, offDV, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO (floats), scale = 1/sqrt(D)
// Spec:     see 03_coopmat_fwd.comp; TILE queries
// Dispatch: (ceil(T/(SUBGROUPS*CM)), H, B); each subgroup owns CM keys
// Precision: fp16 as attention.glsl says: q, k, v, do as staged, p and ds before they multiply, by the device's conversion
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

WRITES(0, dk)
WRITES(1, dv)
READS(2, q)
READS(3, k)
READS(4, v)
READS(5, do_)
layout(set = 0, binding = 6, std430) readonly buffer Lse { float lse[]; };
layout(set = 0, binding = 7, std430) readonly buffer Delta { float delta[]; };
layout(push_constant) uniform Push {
    uint T, ldDK, offDK, ldDV, offDV, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO;
    float scale;
};

shared f16vec4 weights[2 * ROWS * PW];  // p, below it ds
shared float stats[2 * CM * TILE];      // CM equal rows of lse, CM of delta

// First vec4 of a token's head.
uint at(uint token, uint ld, uint off) {
    return (off + (gl_WorkGroupID.z * T + token) * ld + gl_WorkGroupID.y * D) / 4;
}

void main() {
    zero = T >> 31;
    uint first = gl_WorkGroupID.x * ROWS, own = first + row();
    uint head = (gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * T;  // the head's row of lse and delta
    HALVES_A ks[FK], vs[FK];
    for (uint n = gl_LocalInvocationIndex; n < ROWS * QUADS; n += gl_WorkGroupSize.x) {
        uint j = first + n / QUADS, d = n % QUADS;
        staged[n / QUADS * W + d] = j < T && d < D / 4 ? f16vec4(FOUR(k, at(j, ldK, offK) + d)) : f16vec4(0.0);
    }
    // All keys are written before any is read.
    barrier();
    FRAGMENTS(f, FK) ks[f] = left(mine(), f * CK);
    // All keys have been read before values overwrite them.
    barrier();
    for (uint n = gl_LocalInvocationIndex; n < ROWS * QUADS; n += gl_WorkGroupSize.x) {
        uint j = first + n / QUADS, d = n % QUADS;
        staged[n / QUADS * W + d] = j < T && d < D / 4 ? f16vec4(FOUR(v, at(j, ldV, offV) + d)) : f16vec4(0.0);
    }
    // All values are written before any is read.
    barrier();
    FRAGMENTS(f, FK) vs[f] = left(mine(), f * CK);
    SUMS dks[FN], dvs[FN];
    FRAGMENTS(f, FN) dks[f] = dvs[f] = SUMS(0.0);

    for (uint i0 = 0; i0 < T; i0 += TILE) {
        // What was staged before, values at first, and the weights have been read by all before any is overwritten.
        barrier();
        for (uint n = gl_LocalInvocationIndex; n < TILE * QUADS; n += gl_WorkGroupSize.x) {
            uint i = i0 + n / QUADS, d = n % QUADS, to = n / QUADS * W + d;
            bool inside = i < T && d < D / 4;
            staged[to] = inside ? f16vec4(FOUR(q, at(i, ldQ, offQ) + d)) : f16vec4(0.0);
            staged[TILE * W + to] = inside ? f16vec4(FOUR(do_, at(i, ldDO, offDO) + d)) : f16vec4(0.0);
        }
        for (uint n = gl_LocalInvocationIndex; n < CM * TILE; n += gl_WorkGroupSize.x) {
            uint i = i0 + n % TILE;
            stats[n] = i < T ? lse[head + i] : 0.0;
            stats[CM * TILE + n] = i < T ? delta[head + i] : 0.0;
        }
        // The tile has been written by all before any of it is read.
        barrier();

        // A query past the end is zero in shared memory, and so is its do: p and ds add nothing.
        for (uint n = 0; n < TILE; n += CN) {
            SUMS p = SUMS(0.0), ds = SUMS(0.0), lses, deltas;
            FRAGMENTS(f, FK) {
                p = coopMatMulAdd(ks[f], right_transposed(n, f * CK), p);
                ds = coopMatMulAdd(vs[f], right_transposed(TILE + n, f * CK), ds);
            }
            coopMatLoad(lses, stats, n, TILE, gl_CooperativeMatrixLayoutRowMajor);
            coopMatLoad(deltas, stats, CM * TILE + n, TILE, gl_CooperativeMatrixLayoutRowMajor);
            for (uint e = 0; e < p.length(); e++) {
                p[e] = exp_(min(scale * p[e] - lses[e], 0.0));
                ds[e] = p[e] * (ds[e] - deltas[e]);
            }
            coopMatStore(HALVES(p), weights, mine() * PW + n / 4, PW, gl_CooperativeMatrixLayoutRowMajor);
            coopMatStore(HALVES(ds), weights, (ROWS + mine()) * PW + n / 4, PW, gl_CooperativeMatrixLayoutRowMajor);
        }
        // The subgroup's weights are written before any is read.
        meet();
        for (uint n = 0; n < TILE; n += CK) {
            HALVES_A p, ds;
            coopMatLoad(p, weights, mine() * PW + n / 4, PW, gl_CooperativeMatrixLayoutRowMajor);
            coopMatLoad(ds, weights, (ROWS + mine()) * PW + n / 4, PW, gl_CooperativeMatrixLayoutRowMajor);
            FRAGMENTS(f, FN) {
                dvs[f] = coopMatMulAdd(p, right(TILE + n, f * CN), dvs[f]);
                dks[f] = coopMatMulAdd(ds, right(n, f * CN), dks[f]);
            }
        }
    }

    FRAGMENTS(f, FN) {
        spread(dks[f]);
        [[unroll]] for (uint u = 0; u < CN / 4; u += PARTS) {
            uint c = u + part(), d = f * CN / 4 + c;
            if (own < T && c < CN / 4 && d < D / 4) STORE(dk, at(own, ldDK, offDK) + d, scale * scratch[row() * SW + c])
        }
        spread(dvs[f]);
        [[unroll]] for (uint u = 0; u < CN / 4; u += PARTS) {
            uint c = u + part(), d = f * CN / 4 + c;
            if (own < T && c < CN / 4 && d < D / 4) STORE(dv, at(own, ldDV, offDV) + d, scratch[row() * SW + c])
        }
    }
}
