// SPDX-License-Identifier: MIT
// Matrix product for CPU drivers: eight lanes own a 16 x 32 tile of C in registers, and no shared memory is used.
// Differs from the rung below by what a load costs: on a CPU driver "shared memory" is memory and a barrier is a scheduler,
// while a load inside a loop is taken apart lane by lane, each with its own test of the execution mask and of the buffer's
// bounds: a dozen instructions a float, against two for eight multiply-adds. So every load brings four floats a lane, none
// is made by two lanes, and what another lane loaded comes by subgroupBroadcast, which is one instruction.
// Computes, Shapes, Push: see matmul.glsl
// Spec:     1 to 13 see matmul.glsl
// Dispatch: (ceil(N/BN), ceil(M/BM), batch), one subgroup of 8 (or the first 8 lanes of a wider one)
// Precision: operands fp32, or rounded as they are loaded; one fp32 chain of K additions
// CPU:      kernels/ref/matmul.go MatMul
// Backward: dA = dC op(B)ᵀ and dB = op(A)ᵀ dC: this shader with other constants
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_ballot : require
#include "matmul.glsl"
#include "quads.glsl"

const uint LANES = 8;
const uint BM = 2 * LANES, BN = 4 * LANES, BK = 4; // the tile of C and the step along K

layout(local_size_x = 8) in;

// Elements j to j+3 of a row of len floats that starts at float `row`. What lies past the row's end repeats its last
// elements: it reaches only elements of C that are never stored, or is zeroed as K's tail.
vec4 quad_a(uint row, uint j, uint len) {
    if (VEC_A) return a4[(row + min(j, len - 4)) / 4];
    return vec4(a[row + min(j, len - 1)], a[row + min(j + 1, len - 1)], a[row + min(j + 2, len - 1)], a[row + min(j + 3, len - 1)]);
}
vec4 quad_b(uint row, uint j, uint len) {
    if (VEC_B) return b4[(row + min(j, len - 4)) / 4];
    return vec4(b[row + min(j, len - 1)], b[row + min(j + 1, len - 1)], b[row + min(j + 2, len - 1)], b[row + min(j + 3, len - 1)]);
}

// The rows of op(A) that a lane loads, by memory layout, q = 0..3 along K, i = 0..15 along M:
//   A (M,K): lane l loads rows l and 8+l, four k each:                      (i, k+q) is component q of x[i/8] in lane i%8
//   A (K,M): lane l loads k + l/4 and k+2 + l/4, rows 4(l%4) to 4(l%4)+3:   (i, k+q) is component i%4 of x[q/2] in lane 4(q%2) + i/4
// Broadcast wants the lane as a literal, hence macros instead of loops.
#define ELEMENT_A(q, i) (TRANS_A ? subgroupBroadcast(x[q / 2][i % 4], 4 * (q % 2) + i / 4) : subgroupBroadcast(x[i / 8][q], i % 8))
#define ROW(q, i) acc[i] = fma(vec4(ELEMENT_A(q, i)), y, acc[i]);
#define ROWS(q) { vec4 y = column(q, t); \
    ROW(q, 0) ROW(q, 1) ROW(q, 2) ROW(q, 3) ROW(q, 4) ROW(q, 5) ROW(q, 6) ROW(q, 7) \
    ROW(q, 8) ROW(q, 9) ROW(q, 10) ROW(q, 11) ROW(q, 12) ROW(q, 13) ROW(q, 14) ROW(q, 15) }

// Row k+q of op(B), the lane's four columns. t holds them by k where B is (K,N), by column where it is (N,K).
vec4 column(uint q, vec4 t[4]) { return TRANS_B ? vec4(t[0][q], t[1][q], t[2][q], t[3][q]) : t[q]; }

// Components of v whose k is past K's end become zero.
vec4 cut(vec4 v, uvec4 k) { return K_TAIL ? mix(v, vec4(0), greaterThanEqual(k, uvec4(K))) : v; }

void main() {
    uint lane = gl_SubgroupInvocationID;
    uint m0 = gl_WorkGroupID.y * BM, n = gl_WorkGroupID.x * BN + 4 * lane; // the tile's rows, the lane's columns
    uint baseA = offA + gl_WorkGroupID.z * stepA, baseB = offB + gl_WorkGroupID.z * stepB;
    const uvec4 FOUR = uvec4(0, 1, 2, 3);

    vec4 acc[BM], of_row[2] = vec4[](vec4(0), vec4(0)); // what the lane loads of op(A), added up along K
    [[unroll]] for (uint i = 0; i < BM; i++) acc[i] = vec4(0);

    for (uint k = 0; k < K; k += BK) {
        vec4 x[2], t[4];
        [[unroll]] for (uint g = 0; g < 2; g++) {
            if (TRANS_A) {
                uint kk = k + 2 * g + lane / 4;
                x[g] = cut(quad_a(baseA + min(kk, K - 1) * ldA, m0 + 4 * (lane % 4), M), uvec4(kk));
            } else {
                x[g] = cut(quad_a(baseA + min(m0 + 8 * g + lane, M - 1) * ldA, k, K), k + FOUR);
            }
        }
        [[unroll]] for (uint j = 0; j < 4; j++) {
            if (TRANS_B) t[j] = cut(quad_b(baseB + min(n + j, N - 1) * ldB, k, K), k + FOUR);
            else t[j] = cut(quad_b(baseB + min(k + j, K - 1) * ldB, n, N), uvec4(k + j));
        }
        [[unroll]] for (uint g = 0; g < 2; g++) {
            x[g] = rounded(x[g]);
            if (ROW_SUM != 0) of_row[g] += x[g];
        }
        [[unroll]] for (uint j = 0; j < 4; j++) t[j] = rounded(t[j]);
        ROWS(0) ROWS(1) ROWS(2) ROWS(3)
    }

    if (ROW_SUM != 0 && gl_WorkGroupID.x == 0) {
        if (TRANS_A) { // lanes l and l+4 have the same four rows, at other k
            vec4 s = of_row[0] + of_row[1];
            vec4 other[4] = vec4[](subgroupBroadcast(s, 4), subgroupBroadcast(s, 5), subgroupBroadcast(s, 6), subgroupBroadcast(s, 7));
            s += other[lane % 4];
            if (lane < 4) [[unroll]] for (uint i = 0; i < 4; i++) store_sum(m0 + 4 * lane + i, s[i]);
        } else { // four terms of the sum side by side
            [[unroll]] for (uint g = 0; g < 2; g++) store_sum(m0 + 8 * g + lane, dot(of_row[g], vec4(1)));
        }
    }

    // A second array, indexed by a variable, and a rolled loop: sixteen copies of what follows would compile for seconds. It
    // may lie in memory; acc, which the loop above works on, may not.
    vec4 row[BM];
    [[unroll]] for (uint i = 0; i < BM; i++) row[i] = acc[i];
    if (n >= N) return;
    vec4 add = BIAS && VEC_C ? bias4(n) : vec4(0);
    [[dont_unroll]] for (uint i = 0, end = min(BM, M - m0); i < end; i++) {
        uint m = m0 + i;
        if (VEC_C) finish4(m, n, row[i] + add); // n and N are multiples of four, so all four columns exist
        else [[dont_unroll]] for (uint j = 0, columns = min(4, N - n); j < columns; j++) store(m, n + j, row[i][j]);
    }
}
