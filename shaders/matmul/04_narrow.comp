// SPDX-License-Identifier: MIT
// Matrix product for CPU drivers: eight lanes own a 32 x 32 tile of C in registers, and no shared memory is used.
// Differs from the rung below by what a load costs: on a CPU driver "shared memory" is memory and a barrier is a scheduler,
// while a load inside a loop is taken apart lane by lane, each with its own test of the execution mask, and word by word,
// each with its own test of the buffer's bounds: eight instructions a word, against two for eight multiply-adds. So words
// have 64 bits, every load brings four floats a lane, none is made by two lanes, and what another lane loaded comes by
// subgroupBroadcast, which is an instruction or two. A larger tile would need fewer loads yet, but its loop would not fit
// into the CPU's first instruction cache (32 KiB); nor would one with a longer step along K.
// Computes, Shapes, Push: see matmul.glsl
// Spec:     1 to 13 see matmul.glsl
// Dispatch: (ceil(N/BN), ceil(M/BM), batch), one subgroup of 8 (or the first 8 lanes of a wider one)
// Precision: operands fp32, or rounded as they are loaded; one fp32 chain of K additions
// Requires: shaderInt64
// CPU:      kernels/ref/matmul.go MatMul
// Backward: dA = dC op(B)ᵀ and dB = op(A)ᵀ dC: this shader with other constants
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_ballot : require
#include "matmul.glsl"
#include "quads.glsl"
#include "words.glsl"

const uint LANES = 8;
const uint BM = 4 * LANES, BN = 4 * LANES, BK = 4; // the tile of C and the step along K

layout(local_size_x = 8) in;
// A and B again, four floats being two words, and four halves one.
layout(set = 0, binding = 1, std430) readonly buffer WordsA { u64vec2 words_a[]; };
layout(set = 0, binding = 2, std430) readonly buffer WordsB { u64vec2 words_b[]; };
layout(set = 0, binding = 1, std430) readonly buffer HalvesA { uint64_t halves_a[]; };
layout(set = 0, binding = 2, std430) readonly buffer HalvesB { uint64_t halves_b[]; };

// Elements j to j+3 of a row of len floats that starts at float `row`. What lies past the row's end repeats its last
// elements: it reaches only elements of C that are never stored, or is zeroed as K's tail.
vec4 quad_a(uint row, uint j, uint len) {
    if (HALF_A) return unpack_halves(PRECISION, unpackUint2x32(halves_a[(row + min(j, len - 4)) / 4]));
    if (VEC_A) return floats(words_a[(row + min(j, len - 4)) / 4]);
    return vec4(a[row + min(j, len - 1)], a[row + min(j + 1, len - 1)], a[row + min(j + 2, len - 1)], a[row + min(j + 3, len - 1)]);
}
vec4 quad_b(uint row, uint j, uint len) {
    if (HALF_B) return unpack_halves(PRECISION, unpackUint2x32(halves_b[(row + min(j, len - 4)) / 4]));
    if (VEC_B) return floats(words_b[(row + min(j, len - 4)) / 4]);
    return vec4(b[row + min(j, len - 1)], b[row + min(j + 1, len - 1)], b[row + min(j + 2, len - 1)], b[row + min(j + 3, len - 1)]);
}

// What a lane loads of op(A), by memory layout; q = 0..3 along K, i = 0..31 along M:
//   A (M,K): rows l, 8+l, 16+l, 24+l in lane l, four k each: (i, k+q) is component q of x[i/8] in lane i%8
//   A (K,M): k to k+3, rows 4l to 4l+3 in lane l:            (i, k+q) is component i%4 of x[q] in lane i/4
// Broadcast wants the lane as a literal, hence macros instead of loops.
#define ELEMENT_A(q, i) (TRANS_A ? subgroupBroadcast(x[q][(i) % 4], (i) / 4) : subgroupBroadcast(x[(i) / 8][q], (i) % 8))
#define TERM(q, i) acc[i] = fma(vec4(ELEMENT_A(q, i)), y[q], acc[i]);
#define ROW(i) TERM(0, i) TERM(1, i) TERM(2, i) TERM(3, i)
#define ROWS(i) ROW(i) ROW(i + 1) ROW(i + 2) ROW(i + 3) ROW(i + 4) ROW(i + 5) ROW(i + 6) ROW(i + 7)

// Components of v whose k is past K's end become zero.
vec4 cut(vec4 v, uvec4 k) { return K_TAIL ? mix(v, vec4(0), greaterThanEqual(k, uvec4(K))) : v; }

void main() {
    uint lane = gl_SubgroupInvocationID;
    uint m0 = gl_WorkGroupID.y * BM, n = gl_WorkGroupID.x * BN + 4 * lane; // the tile's rows, the lane's columns
    uint baseA = offA + gl_WorkGroupID.z * stepA, baseB = offB + gl_WorkGroupID.z * stepB;
    const uvec4 FOUR = uvec4(0, 1, 2, 3);

    vec4 acc[BM], of_row[4]; // of_row: what the lane loads of op(A), added up along K
    [[unroll]] for (uint i = 0; i < BM; i++) acc[i] = vec4(0);
    [[unroll]] for (uint g = 0; g < 4; g++) of_row[g] = vec4(0);

    for (uint k = 0; k < K; k += BK) {
        vec4 x[4], t[4];
        [[unroll]] for (uint g = 0; g < 4; g++) {
            if (TRANS_A) x[g] = cut(quad_a(baseA + min(k + g, K - 1) * ldA, m0 + 4 * lane, M), uvec4(k + g));
            else x[g] = cut(quad_a(baseA + min(m0 + 8 * g + lane, M - 1) * ldA, k, K), k + FOUR);
        }
        [[unroll]] for (uint j = 0; j < 4; j++) {
            if (TRANS_B) t[j] = cut(quad_b(baseB + min(n + j, N - 1) * ldB, k, K), k + FOUR);
            else t[j] = cut(quad_b(baseB + min(k + j, K - 1) * ldB, n, N), uvec4(k + j));
        }
        [[unroll]] for (uint g = 0; g < 4; g++) {
            x[g] = rounded_a(x[g]);
            if (ROW_SUM != 0) of_row[g] += x[g];
        }
        [[unroll]] for (uint j = 0; j < 4; j++) t[j] = rounded_b(t[j]);
        // Rows k to k+3 of op(B), the lane's four columns: as loaded where B is (K,N); where it is (N,K), t holds columns.
        vec4 y[4] = t;
        if (TRANS_B) [[unroll]] for (uint q = 0; q < 4; q++) y[q] = vec4(t[0][q], t[1][q], t[2][q], t[3][q]);
        ROWS(0) ROWS(8) ROWS(16) ROWS(24)
    }

    if (ROW_SUM != 0 && gl_WorkGroupID.x == 0) {
        [[unroll]] for (uint g = 0; g < 4; g++) {
            // By k modulo four in both cases: the lane's four rows, or the four terms of one row, side by side.
            if (TRANS_A) store_sum(m0 + 4 * lane + g, (of_row[0][g] + of_row[2][g]) + (of_row[1][g] + of_row[3][g]));
            else store_sum(m0 + 8 * g + lane, dot(of_row[g], vec4(1)));
        }
    }

    // A second array, indexed by a variable, and a rolled loop: 32 copies of what follows would compile for seconds. It
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
