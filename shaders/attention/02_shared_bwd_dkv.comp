// SPDX-License-Identifier: MIT
// Attention backward for GPUs, gradients of keys and values: keys in registers, queries and do in tiles of shared memory.
// Differs from the rung below by tiles: QUERIES queries and their do are fetched once for all keys of the workgroup, and four
//           lanes share a key, so that it, its value and their gradients fit into registers.
// Computes: p = exp(scale q[i].k - lse[i]);  ds = p (do[i].v - delta[i]);  dk = scale sum_i ds q[i];  dv = sum_i p do[i]
// Shapes:   dk, dv, q, k, v, do (B,T,H,D), tokens ldDK, ldDV, ldQ, ldK, ldV, ldDO floats apart (multiples of 4, offsets
//           too); lse, delta (B,H,T)
// Push:     T, ldDK, offDK, ldDV, offDV, ldQ, offQ, ldK, offK, ldV, offV, ldDO, offDO (floats), scale = 1/sqrt(D)
// Spec:     0 LOCAL; 1 D, 2 PRECISION see attention.glsl; 3 ROWS keys to four lanes; 4 QUERIES in a tile;
//           5 SUB at a time, divides QUERIES; 6 IN_HALVES see attention.glsl
// Dispatch: (ceil(T/(LOCAL/4*ROWS)), H, B); four lanes own ROWS keys, LOCAL/4 apart, each lane every fourth vec4
// Precision: operands fp32, or rounded as attention.glsl says: q, k, v, do as loaded, p and ds before they multiply do[i] and
//           q[i]; the rest fp32, 16 partial sums a dot product
// Requires: subgroups of a multiple of 4; 2*QUERIES*(D+1) floats of shared memory (D rounded up to a multiple of 16)
// CPU:      kernels/ref/attention.go AttentionBackward
// Forward:  attention/02_shared_fwd.comp; delta comes from attention/delta.comp
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_clustered : require
#extension GL_GOOGLE_include_directive : require
#define HALVES_ID 6
#include "attention.glsl"

layout(local_size_x_id = 0) in;
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
layout(constant_id = 3) const uint ROWS = 2;
layout(constant_id = 4) const uint QUERIES = 32;
layout(constant_id = 5) const uint SUB = 8;

const uint SLICES = 4;         // lanes to a row
const uint E = (D + 15) / 16;  // vec4 of a row to a lane: e*SLICES + slice, zero past the row's end
const uint W = E * SLICES;     // vec4 of a row in shared memory
shared vec4 qs[QUERIES * W], dos[QUERIES * W];
shared vec2 stat[QUERIES];  // lse, delta

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
    vec4 kr[ROWS * E], vr[ROWS * E], dkr[ROWS * E], dvr[ROWS * E];
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint j = first + r * stride, fromk = at(j, ldK, offK), fromv = at(j, ldV, offV);
        [[unroll]] for (uint e = 0; e < E; e++) {
            uint d = e * SLICES + slice;
            bool inside = j < T && d < D / 4;
            kr[r * E + e] = inside ? OPERAND(k, fromk + d) : vec4(0.0);
            vr[r * E + e] = inside ? OPERAND(v, fromv + d) : vec4(0.0);
            dkr[r * E + e] = dvr[r * E + e] = vec4(0.0);
        }
    }

    for (uint i0 = 0; i0 < T; i0 += QUERIES) {
        // The last tile has been read by all before any of it is overwritten.
        barrier();
        for (uint n = lane; n < QUERIES * W; n += gl_WorkGroupSize.x) {
            uint i = i0 + n / W, d = n % W;
            bool inside = i < T && d < D / 4;
            qs[n] = inside ? OPERAND(q, at(i, ldQ, offQ) + d) : vec4(0.0);
            dos[n] = inside ? OPERAND(do_, at(i, ldDO, offDO) + d) : vec4(0.0);
        }
        for (uint n = lane; n < QUERIES; n += gl_WorkGroupSize.x)
            stat[n] = i0 + n < T ? vec2(lse[head + i0 + n], delta[head + i0 + n]) : vec2(0.0);
        // The tile has been written by all before any of it is read.
        barrier();

        // A query past the end is zero in shared memory, and so is its do: p and ds add nothing.
        for (uint i = 0; i < QUERIES && i0 + i < T; i += SUB) {
            float p[ROWS * SUB], ds[ROWS * SUB];
            [[unroll]] for (uint b = 0; b < SUB; b++) {
                vec4 s[ROWS], dp[ROWS];
                [[unroll]] for (uint r = 0; r < ROWS; r++) s[r] = dp[r] = vec4(0.0);
                [[unroll]] for (uint e = 0; e < E; e++) {
                    uint n = (i + b) * W + e * SLICES + slice;
                    vec4 qd = qs[n], dod = dos[n];
                    [[unroll]] for (uint r = 0; r < ROWS; r++) {
                        s[r] += kr[r * E + e] * qd;
                        dp[r] += vr[r * E + e] * dod;
                    }
                }
                [[unroll]] for (uint r = 0; r < ROWS; r++) {
                    vec2 whole = subgroupClusteredAdd(vec2((s[r].x + s[r].y) + (s[r].z + s[r].w),
                                                           (dp[r].x + dp[r].y) + (dp[r].z + dp[r].w)), SLICES);
                    float w = exp_(scale * whole.x - stat[i + b].x);
                    p[r * SUB + b] = rounded(w);
                    ds[r * SUB + b] = rounded(w * (whole.y - stat[i + b].y));
                }
            }
            [[unroll]] for (uint e = 0; e < E; e++)
                [[unroll]] for (uint b = 0; b < SUB; b++) {
                    uint n = (i + b) * W + e * SLICES + slice;
                    vec4 qd = qs[n], dod = dos[n];
                    [[unroll]] for (uint r = 0; r < ROWS; r++) {
                        dkr[r * E + e] += ds[r * SUB + b] * qd;
                        dvr[r * E + e] += p[r * SUB + b] * dod;
                    }
                }
        }
    }

    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        uint j = first + r * stride, tok = at(j, ldDK, offDK), tov = at(j, ldDV, offDV);
        [[unroll]] for (uint e = 0; e < E; e++) {
            uint d = e * SLICES + slice;
            if (j < T && d < D / 4) {
                STORE(dk, tok + d, scale * dkr[r * E + e])
                STORE(dv, tov + d, dvr[r * E + e])
            }
        }
    }
}
