// SPDX-License-Identifier: MIT
// Attention forward for GPUs: a workgroup's queries in registers, the keys and values in tiles of shared memory.
// Differs from the rung below by tiles: KEYS keys and values are fetched once for all queries of the workgroup, and four
//           lanes share a query row, so that a row of 128 floats and its output fit into registers.
// Computes: s[j] = scale q.k[j];  o = sum_j exp(s[j]) v[j] / sum_j exp(s[j]);  lse = log sum_j exp(s[j])
// Shapes:   o, q, k, v (B,T,H,D), tokens ldO, ldQ, ldK, ldV floats apart (multiples of 4, offsets too); lse (B,H,T)
// Push:     T, ldO, offO, ldQ, offQ, ldK, offK, ldV, offV (floats), scale = 1/sqrt(D)
// Spec:     0 LOCAL; 1 D, 2 PRECISION see attention.glsl; 3 ROWS queries to four lanes; 4 KEYS in a tile;
//           5 SUB keys at a time, divides KEYS; 6 IN_HALVES see attention.glsl
// Dispatch: (ceil(T/(LOCAL/4*ROWS)), H, B); four lanes own ROWS query rows, LOCAL/4 apart, each lane every fourth vec4
// Precision: operands fp32, or rounded as attention.glsl says: q, k, v as loaded, exp(s[j] - top) before it multiplies v[j];
//           the rest fp32, 16 partial sums a dot product
// Numerics: the running maximum `top` is taken off before exp_, so large scores cannot overflow
// Requires: subgroups of a multiple of 4; 2*KEYS*D floats of shared memory (D rounded up to a multiple of 16)
// CPU:      kernels/ref/attention.go Attention
// Backward: attention/delta.comp, attention/02_shared_bwd_dkv.comp, attention/02_shared_bwd_dq.comp
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_clustered : require
#extension GL_GOOGLE_include_directive : require
#define HALVES_ID 6
#include "attention.glsl"

layout(local_size_x_id = 0) in;
WRITES(0, o)
layout(set = 0, binding = 1, std430) writeonly buffer Lse { float lse[]; };
READS(2, q)
READS(3, k)
READS(4, v)
layout(push_constant) uniform Push { uint T, ldO, offO, ldQ, offQ, ldK, offK, ldV, offV; float scale; };
layout(constant_id = 3) const uint ROWS = 2;
layout(constant_id = 4) const uint KEYS = 32;
layout(constant_id = 5) const uint SUB = 8;

const uint SLICES = 4;              // lanes to a row
const uint E = (D + 15) / 16;       // vec4 of a row to a lane: e*SLICES + slice, zero past the row's end
const uint W = E * SLICES;          // vec4 of a row in shared memory
const float LOWEST = -1e30;         // below any score, and finite, so that LOWEST - LOWEST is 0 and not NaN
shared vec4 ks[KEYS * W], vs[KEYS * W];

// First vec4 of a token's head.
uint at(uint token, uint ld, uint off) {
    return (off + (gl_WorkGroupID.z * T + token) * ld + gl_WorkGroupID.y * D) / 4;
}

void main() {
    // Lanes are numbered by subgroup, so that the four of a row are neighbours in one. (gl_SubgroupSize is but a maximum on
    // some drivers.)
    uint lane = gl_SubgroupID * (gl_WorkGroupSize.x / gl_NumSubgroups) + gl_SubgroupInvocationID, slice = lane % SLICES;
    uint stride = gl_WorkGroupSize.x / SLICES, first = gl_WorkGroupID.x * stride * ROWS + lane / SLICES;
    vec4 qr[ROWS * E], acc[ROWS * E];
    float top[ROWS], total[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint i = first + r * stride, from = at(i, ldQ, offQ);
        [[unroll]] for (uint e = 0; e < E; e++) {
            uint d = e * SLICES + slice;
            qr[r * E + e] = i < T && d < D / 4 ? OPERAND(q, from + d) : vec4(0.0);
            acc[r * E + e] = vec4(0.0);
        }
        top[r] = LOWEST;
        total[r] = 0.0;
    }

    for (uint j0 = 0; j0 < T; j0 += KEYS) {
        // The last tile has been read by all before any of it is overwritten.
        barrier();
        for (uint n = lane; n < KEYS * W; n += gl_WorkGroupSize.x) {
            uint j = j0 + n / W, d = n % W;
            bool inside = j < T && d < D / 4;
            ks[n] = inside ? OPERAND(k, at(j, ldK, offK) + d) : vec4(0.0);
            vs[n] = inside ? OPERAND(v, at(j, ldV, offV) + d) : vec4(0.0);
        }
        // The tile has been written by all before any of it is read.
        barrier();

        for (uint j = 0; j < KEYS && j0 + j < T; j += SUB) {
            float p[ROWS * SUB];  // scores, then weights
            [[unroll]] for (uint b = 0; b < SUB; b++) {
                vec4 s[ROWS];
                [[unroll]] for (uint r = 0; r < ROWS; r++) s[r] = vec4(0.0);
                [[unroll]] for (uint e = 0; e < E; e++) {
                    vec4 kd = ks[(j + b) * W + e * SLICES + slice];
                    [[unroll]] for (uint r = 0; r < ROWS; r++) s[r] += qr[r * E + e] * kd;
                }
                [[unroll]] for (uint r = 0; r < ROWS; r++) {
                    float whole = subgroupClusteredAdd((s[r].x + s[r].y) + (s[r].z + s[r].w), SLICES);
                    p[r * SUB + b] = j0 + j + b < T ? scale * whole : LOWEST;
                }
            }

            // A new maximum shrinks what has been summed so far.
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                float m = top[r];
                [[unroll]] for (uint b = 0; b < SUB; b++) m = max(m, p[r * SUB + b]);
                float shrink = exp_(top[r] - m);
                top[r] = m;
                total[r] *= shrink;
                [[unroll]] for (uint b = 0; b < SUB; b++) {
                    p[r * SUB + b] = exp_(p[r * SUB + b] - m);
                    total[r] += p[r * SUB + b];
                    p[r * SUB + b] = rounded(p[r * SUB + b]);
                }
                [[unroll]] for (uint e = 0; e < E; e++) acc[r * E + e] *= shrink;
            }

            [[unroll]] for (uint e = 0; e < E; e++)
                [[unroll]] for (uint b = 0; b < SUB; b++) {
                    vec4 vd = vs[(j + b) * W + e * SLICES + slice];
                    [[unroll]] for (uint r = 0; r < ROWS; r++) acc[r * E + e] += p[r * SUB + b] * vd;
                }
        }
    }

    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint i = first + r * stride, to = at(i, ldO, offO);
        [[unroll]] for (uint e = 0; e < E; e++) {
            uint d = e * SLICES + slice;
            if (i < T && d < D / 4) STORE(o, to + d, acc[r * E + e] / total[r])
        }
        if (i < T && slice == 0)
            lse[(gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * T + i] = top[r] + log_(total[r]);
    }
}
