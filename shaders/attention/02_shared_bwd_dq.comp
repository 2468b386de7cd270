// SPDX-License-Identifier: MIT
// Attention backward for GPUs, gradient of the queries: queries in registers, keys and values in tiles of shared memory.
// Differs from the rung below by tiles: KEYS keys and values are fetched once for all queries of the workgroup, and four
//           lanes share a query row, so that it, its do and its dq fit into registers.
// Computes: p = exp(scale q.k[j] - lse);  ds = p (do.v[j] - delta);  dq = scale sum_j ds k[j]
// Shapes:   dq, q, k, v, do (B,T,H,D), tokens ldDQ, ldQ, ldK, ldV, ldDO floats apart (multiples of 4, offsets too);
//           lse, delta (B,H,T)
// Push:     T, ldDQ, offDQ, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO (floats), scale = 1/sqrt(D)
// Spec:     0 LOCAL; 1 D, 2 PRECISION see attention.glsl; 3 ROWS queries to four lanes; 4 KEYS in a tile;
//           5 SUB keys at a time, divides KEYS; 6 IN_HALVES see attention.glsl
// Dispatch: (ceil(T/(LOCAL/4*ROWS)), H, B); four lanes own ROWS query rows, LOCAL/4 apart, each lane every fourth vec4
// Precision: operands fp32, or rounded as attention.glsl says: q, k, v, do as loaded, ds before it multiplies k[j];
//           the rest fp32, 16 partial sums a dot product
// Requires: subgroups of a multiple of 4; 2*KEYS*D floats of shared memory (D rounded up to a multiple of 16)
// CPU:      kernels/ref/attention.go AttentionBackward
// Forward:  attention/02_shared_fwd.comp; delta comes from attention/delta.comp
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_clustered : require
#extension GL_GOOGLE_include_directive : require
#define HALVES_ID 6
#include "attention.glsl"

layout(local_size_x_id = 0) in;
WRITES(0, dq)
READS(1, q)
READS(2, k)
READS(3, v)
READS(4, do_)
layout(set = 0, binding = 5, std430) readonly buffer Lse { float lse[]; };
layout(set = 0, binding = 6, std430) readonly buffer Delta { float delta[]; };
layout(push_constant) uniform Push { uint T, ldDQ, offDQ, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO; float scale; };
layout(constant_id = 3) const uint ROWS = 2;
layout(constant_id = 4) const uint KEYS = 32;
layout(constant_id = 5) const uint SUB = 8;

const uint SLICES = 4;         // lanes to a row
const uint E = (D + 15) / 16;  // vec4 of a row to a lane: e*SLICES + slice, zero past the row's end
const uint W = E * SLICES;     // vec4 of a row in shared memory
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
    uint head = (gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * T;  // the head's row of lse and delta
    vec4 qr[ROWS * E], dor[ROWS * E], acc[ROWS * E];
    float lser[ROWS], deltar[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint i = first + r * stride, fromq = at(i, ldQ, offQ), fromdo = at(i, ldDO, offDO);
        [[unroll]] for (uint e = 0; e < E; e++) {
            uint d = e * SLICES + slice;
            bool inside = i < T && d < D / 4;
            qr[r * E + e] = inside ? OPERAND(q, fromq + d) : vec4(0.0);
            dor[r * E + e] = inside ? OPERAND(do_, fromdo + d) : vec4(0.0);
            acc[r * E + e] = vec4(0.0);
        }
        lser[r] = i < T ? lse[head + i] : 0.0;
        deltar[r] = i < T ? delta[head + i] : 0.0;
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
            float ds[ROWS * SUB];
            [[unroll]] for (uint b = 0; b < SUB; b++) {
                vec4 s[ROWS], dp[ROWS];
                [[unroll]] for (uint r = 0; r < ROWS; r++) s[r] = dp[r] = vec4(0.0);
                [[unroll]] for (uint e = 0; e < E; e++) {
                    uint n = (j + b) * W + e * SLICES + slice;
                    vec4 kd = ks[n], vd = vs[n];
                    [[unroll]] for (uint r = 0; r < ROWS; r++) {
                        s[r] += qr[r * E + e] * kd;
                        dp[r] += dor[r * E + e] * vd;
                    }
                }
                [[unroll]] for (uint r = 0; r < ROWS; r++) {
                    vec2 whole = subgroupClusteredAdd(vec2((s[r].x + s[r].y) + (s[r].z + s[r].w),
                                                           (dp[r].x + dp[r].y) + (dp[r].z + dp[r].w)), SLICES);
                    float w = exp_(scale * whole.x - lser[r]);
                    // A key past the end has a p, too: zeros in shared memory do not help where its ds is infinite.
                    ds[r * SUB + b] = j0 + j + b < T ? rounded(w * (whole.y - deltar[r])) : 0.0;
                }
            }
            [[unroll]] for (uint e = 0; e < E; e++)
                [[unroll]] for (uint b = 0; b < SUB; b++) {
                    vec4 kd = ks[(j + b) * W + e * SLICES + slice];
                    [[unroll]] for (uint r = 0; r < ROWS; r++) acc[r * E + e] += ds[r * SUB + b] * kd;
                }
        }
    }

    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint i = first + r * stride, to = at(i, ldDQ, offDQ);
        [[unroll]] for (uint e = 0; e < E; e++) {
            uint d = e * SLICES + slice;
            if (i < T && d < D / 4) STORE(dq, to + d, scale * acc[r * E + e])
        }
    }
}
