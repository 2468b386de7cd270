// SPDX-License-Identifier: MIT
// Attention forward on matrix units: each subgroup multiplies fragments of its query rows with tiles of keys and values.
// Differs from the rung below by who multiplies: the matrix unit (tensor cores). A subgroup's queries and output live in
//           fragments; scores pass through shared memory to the lanes, which take the softmax, and come back as halves.
// Computes: s[j] = scale q.k[j];  o = sum_j exp(s[j]) v[j] / sum_j exp(s[j]);  lse = log sum_j exp(s[j])
// Shapes:   o, q, k, v (B,T,H,D), tokens ldO, ldQ, ldK, ldV floats apart (multiples of 4, offsets too); lse (B,H,T)
// Push:     T, ldO, offO, ldQ, offQ, ldK, offK, ldV, offV (floats), scale = 1/sqrt(D)
// Spec:     0 LOCAL = SUBGROUPS * subgroup size; 1 D see attention.glsl; 3 4 5 CM, CN, CK fragment, powers of two, a shape that
//           the device has, CM divides the subgroup size; 6 SUBGROUPS; 7 TILE keys, a multiple of CN and CK; 8 UNROLL;
//           9 IN_HALVES see attention.glsl
// Dispatch: (ceil(T/(SUBGROUPS*CM)), H, B); each subgroup owns CM query rows
// Precision: fp16 as attention.glsl says: q, k, v as staged, exp(s - top) before it multiplies v, by the device's conversion
// Numerics: the running maximum `top` is taken off before exp_, so large scores cannot overflow
// Requires: VK_KHR_cooperative_matrix f16 x f16 + f32, shaderFloat16, vulkanMemoryModel, full subgroups
// CPU:      kernels/ref/attention.go Attention
// Backward: attention/delta.comp, attention/03_coopmat_bwd_dkv.comp, attention/03_coopmat_bwd_dq.comp
// glslc: sid --target-env=vulkan1.3
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_shuffle : require
#define SW (TILE / 4 + 1) // scores, and four banks more to spread a column
#define HALVES_ID 9
#include "coopmat.glsl"

WRITES(0, o)
layout(set = 0, binding = 1, std430) writeonly buffer Lse { float lse[]; };
READS(2, q)
READS(3, k)
READS(4, v)
layout(push_constant) uniform Push { uint T, ldO, offO, ldQ, offQ, ldK, offK, ldV, offV; float scale; };

const float LOWEST = -1e30;         // below any score, and finite, so that LOWEST - LOWEST is 0 and not NaN
shared f16vec4 weights[ROWS * PW];

// First vec4 of a token's head.
uint at(uint token, uint ld, uint off) {
    return (off + (gl_WorkGroupID.z * T + token) * ld + gl_WorkGroupID.y * D) / 4;
}

// Four scores of the lane's row, for keys from j0 + 4 * c on; past the last key there are none.
vec4 score(uint j0, uint c) {
    uvec4 j = j0 + 4 * c + uvec4(0, 1, 2, 3);
    return mix(vec4(LOWEST), scale * scratch[row() * SW + c], lessThan(j, uvec4(T)));
}

void main() {
    zero = T >> 31;
    uint first = gl_WorkGroupID.x * ROWS, own = first + row();
    for (uint n = gl_LocalInvocationIndex; n < ROWS * QUADS; n += gl_WorkGroupSize.x) {
        uint i = first + n / QUADS, d = n % QUADS;
        staged[n / QUADS * W + d] = i < T && d < D / 4 ? f16vec4(FOUR(q, at(i, ldQ, offQ) + d)) : f16vec4(0.0);
    }
    // All queries are written before any is read.
    barrier();
    HALVES_A qs[FK];
    FRAGMENTS(f, FK) qs[f] = left(mine(), f * CK);
    SUMS acc[FN];
    FRAGMENTS(f, FN) acc[f] = SUMS(0.0);
    float top = LOWEST, total = 0.0;  // of the lane's row

    for (uint j0 = 0; j0 < T; j0 += TILE) {
        // What was staged before, the queries at first, has been read by all before any of it is overwritten.
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
            SUMS s = SUMS(0.0);
            FRAGMENTS(f, FK) s = coopMatMulAdd(qs[f], right_transposed(n, f * CK), s);
            coopMatStore(s, scratch, mine() * SW + n / 4, SW, gl_CooperativeMatrixLayoutRowMajor);
        }
        // The subgroup's scores are written before any is read.
        meet();

        float m = top, sum = 0.0;
        for (uint c = part(); c < TILE / 4; c += PARTS) {
            vec4 s = score(j0, c);
            m = max(m, max(max(s.x, s.y), max(s.z, s.w)));
        }
        for (uint lane = CM; lane < CM * PARTS; lane *= 2) m = max(m, subgroupShuffleXor(m, lane));
        for (uint c = part(); c < TILE / 4; c += PARTS) {
            vec4 s = score(j0, c) - m, p = vec4(exp_(s.x), exp_(s.y), exp_(s.z), exp_(s.w));
            sum += (p.x + p.y) + (p.z + p.w);
            weights[row() * PW + c] = f16vec4(p);
        }
        for (uint lane = CM; lane < CM * PARTS; lane *= 2) sum += subgroupShuffleXor(sum, lane);
        float shrink = exp_(top - m);  // a new maximum shrinks what has been summed so far
        top = m;
        total = total * shrink + sum;

        SUMS shrinks = each_row(shrink);  // and meanwhile all weights have been written
        FRAGMENTS(f, FN) acc[f] *= shrinks;
        for (uint n = 0; n < TILE; n += CK) {
            HALVES_A p;
            coopMatLoad(p, weights, mine() * PW + n / 4, PW, gl_CooperativeMatrixLayoutRowMajor);
            FRAGMENTS(f, FN) acc[f] = coopMatMulAdd(p, right(TILE + n, f * CN), acc[f]);
        }
    }

    FRAGMENTS(f, FN) {
        spread(acc[f]);
        [[unroll]] for (uint u = 0; u < CN / 4; u += PARTS) {
            uint c = u + part(), d = f * CN / 4 + c;
            if (own < T && c < CN / 4 && d < D / 4) STORE(o, at(own, ldO, offO) + d, scratch[row() * SW + c] / total)
        }
    }
    if (own < T && part() == 0)
        lse[(gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * T + own] = top + log_(total);
}
