// SPDX-License-Identifier: MIT
// Attention forward on matrix units, pipelined: while a tile of keys and values is at work, the next one is on its way.
// Differs from the rung below by how the matrix unit is fed: the next tile is loaded as it is, without branches, and converted when it
//           is staged; values are staged on their side, so that no product gathers halves; scores stay in registers; a new
//           maximum shrinks the sums only where it exceeds theirs by SLACK; no loop over fragments depends on a lane.
// Computes: s[j] = q.k[j];  o = sum_j exp(scale s[j]) v[j] / sum_j exp(scale s[j]);  lse = log sum_j exp(scale s[j])
// Shapes:   o, q, k, v (B,T,H,D), tokens ldO, ldQ, ldK, ldV elements apart (multiples of 4, offsets too); lse (B,H,T)
// Push:     T, ldO, offO, ldQ, offQ, ldK, offK, ldV, offV (elements), scale = 1/sqrt(D)
// Spec:     0 to 8 see 03_coopmat_fwd.comp, TILE 16 or 32, a subgroup's size at most CM*TILE/4; 9 TURN: tiles that a product sums
//           over are staged on their side; 10 IN_HALVES see attention.glsl
// Dispatch: (ceil(T/(SUBGROUPS*CM)), H, B); each subgroup owns CM query rows
// Precision: fp16 as attention.glsl says, by the device's conversion; halves are what fp32 would be rounded to
// Numerics: exp is the device's exp2 of scores times log2 e, off by 3 + 2|x| ulp; x <= SLACK, so p <= 256 and sums are 1 and more
// Requires: VK_KHR_cooperative_matrix f16 x f16 + f32, shaderFloat16, vulkanMemoryModel, full subgroups
// CPU:      kernels/ref/attention.go Attention
// Backward: attention/delta.comp, attention/04_pipelined_bwd_dkv.comp, attention/04_pipelined_bwd_dq.comp
// glslc: sid --target-env=vulkan1.3
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_shuffle : require
#define SW (TILE / 4 + 1) // scores, and four banks more to spread a column
#define HALVES_ID 10
#define TURNS 1
#include "pipelined.glsl"

WRITES(0, o)
layout(set = 0, binding = 1, std430) restrict writeonly buffer Lse { float lse[]; };
READS(2, q)
READS(3, k)
READS(4, v)
layout(push_constant) uniform Push { uint T, ldO, offO, ldQ, offQ, ldK, offK, ldV, offV; float scale; };

const float LOWEST = -1e30;         // below any score, and finite, so that LOWEST - LOWEST is 0 and not NaN
const float SLACK = 8.0;            // of an exponent of 2
const uint MINE = TILE / 4 / PARTS; // fours of scores that a lane sees to
shared f16vec4 weights[ROWS * PW];

void main() {
    zero = T >> 31;
    uint first = gl_WorkGroupID.x * ROWS, own = first + row();
    float to_log2 = scale * LOG2_E;
    FETCH_OWN(0, q, first, ldQ, offQ)
    FETCH(0, k, 0, ldK, offK)
    FETCH(1, v, 0, ldV, offV)
    stage_own(0, halves_q);
    HALVES_A qs[FK];
    FRAGMENTS(f, FK) qs[f] = left(mine(), f * CK);
    SUMS acc[FN];
    FRAGMENTS(f, FN) acc[f] = SUMS(0.0);
    float top = LOWEST, total = 0.0;  // of the lane's row

    for (uint j0 = 0; j0 < T; j0 += TILE) {
        // What was staged before, the queries at first, has been read by all before any of it is overwritten.
        barrier();
        stage(0, halves_k);
        if (TURN) stage_turned(1, halves_v); else stage(1, halves_v);
        // The tile has been written by all before any of it is read.
        barrier();
        FETCH(0, k, j0 + TILE, ldK, offK)
        FETCH(1, v, j0 + TILE, ldV, offV)

        FRAGMENTS(n, TILE / CN) {
            SUMS s = SUMS(0.0);
            FRAGMENTS(f, FK) s = coopMatMulAdd(qs[f], right_transposed(n * CN, f * CK), s);
            coopMatStore(s, scratch, mine() * SW + n * CN / 4, SW, gl_CooperativeMatrixLayoutRowMajor);
        }
        // The subgroup's scores are written before any is read.
        meet();

        vec4 s[MINE];
        FRAGMENTS(c, MINE) s[c] = scratch[row() * SW + c * PARTS + part()];
        if (j0 + TILE > T) FRAGMENTS(c, MINE) {  // past the last key there are none
            uvec4 j = j0 + 4 * (c * PARTS + part()) + uvec4(0, 1, 2, 3);
            s[c] = mix(vec4(LOWEST), s[c], lessThan(j, uvec4(T)));
        }
        float m = LOWEST, sum = 0.0;
        FRAGMENTS(c, MINE) m = max(m, max(max(s[c].x, s[c].y), max(s[c].z, s[c].w)));
        [[unroll]] for (uint lane = CM; lane < CM * PARTS; lane *= 2) m = max(m, subgroupShuffleXor(m, lane));
        // Scores have been read before what shrinks sums overwrites them. No barrier stands in the branches, where a driver that keeps
        // subgroups in step would lose it.
        meet();
        bool grown = subgroupAny((m - top) * to_log2 > SLACK);
        if (grown) {  // a new maximum shrinks what has been summed so far
            m = max(m, top);
            float shrink = exp2((top - m) * to_log2);
            top = m;
            total *= shrink;
            put_row(shrink);
        }
        FRAGMENTS(c, MINE) {
            vec4 p = exp2((s[c] - top) * to_log2);
            sum += (p.x + p.y) + (p.z + p.w);
            weights[row() * PW + c * PARTS + part()] = f16vec4(p);
        }
        [[unroll]] for (uint lane = CM; lane < CM * PARTS; lane *= 2) sum += subgroupShuffleXor(sum, lane);
        total += sum;
        // The subgroup's weights, and what shrinks its sums, are written before any is read.
        meet();
        if (grown) {
            SUMS shrinks = rows_put();
            FRAGMENTS(f, FN) acc[f] *= shrinks;
        }
        FRAGMENTS(n, TILE / CK) {
            HALVES_A p;
            coopMatLoad(p, weights, mine() * PW + n * CK / 4, PW, gl_CooperativeMatrixLayoutRowMajor);
            FRAGMENTS(f, FN) acc[f] = coopMatMulAdd(p, down(1, n * CK, f * CN), acc[f]);
        }
    }

    float share = 1.0 / total;
    FRAGMENTS(f, FN) {
        spread(acc[f]);
        [[unroll]] for (uint u = 0; u < CN / 4; u += PARTS) {
            uint c = u + part(), d = f * CN / 4 + c;
            if (own < T && c < CN / 4 && d < D / 4) STORE(o, head_at(T, ldO, offO) + own * (ldO / 4) + d, share * scratch[row() * SW + c])
        }
    }
    if (own < T && part() == 0)
        lse[(gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * T + own] = top * scale + log_(total);
}
