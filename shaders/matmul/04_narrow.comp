// SPDX-License-Identifier: MIT
// Matrix product for CPU drivers: eight lanes own a 32 x 32 tile of C, 16 one of 32 x 64, and no shared memory is used.
// Differs from the rung below by what a load costs: on a CPU driver "shared memory" is memory and a barrier is a scheduler,
// while a load inside a loop is taken apart lane by lane, each with its own test of the execution mask, and word by word,
// each with its own test of the buffer's bounds: eight instructions a word, against two for eight multiply-adds. So words
// have 64 bits, every load brings four floats a lane, none is made by two lanes, and what another lane loaded comes by
// subgroupBroadcast, which is an instruction or two. A larger tile would need fewer loads yet, but its loop would not fit
// into the CPU's first instruction cache (32 KiB); nor would one with a longer step along K.
// Computes, Shapes, Push: see matmul.glsl
// Spec:     0 LOCAL = LANES; 1 to 13 see matmul.glsl; 15 LANES, 8 or 16
// Dispatch: (ceil(N/BN), ceil(M/BM), batch), one subgroup of LANES (or the first LANES of a wider one)
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

layout(local_size_x_id = 0) in;
// A and B again, four floats being two words, and four halves one.
layout(set = 0, binding = 1, std430) readonly buffer WordsA { u64vec2 words_a[]; };
layout(set = 0, binding = 2, std430) readonly buffer WordsB { u64vec2 words_b[]; };
layout(set = 0, binding = 1, std430) readonly buffer HalvesA { uint64_t halves_a[]; };
layout(set = 0, binding = 2, std430) readonly buffer HalvesB { uint64_t halves_b[]; };
layout(constant_id = 15) const uint LANES = 8;
const uint BM = 32, BN = 4 * LANES, BK = 4; // the tile of C and the step along K
const uint LOADS = 32 / LANES;              // a lane's loads of op(A) a step: 4, or 2

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

// A step of op(A) is 32 fours of floats, four f = LANES g + l in x[g] of lane l. By memory layout, q = 0..3 along K, i = 0..31 along M:
//   A (M,K): four f is row f, four k:           (i, k+q) is component q of four i
//   A (K,M): four f is of k+f/8, rows from 4 (f%8) on: (i, k+q) is component i%4 of four 8q+i/4
// Broadcast wants the lane as a literal, hence macros instead of loops.
#define PART(f, c) (LANES == 8 ? subgroupBroadcast(x[(f) / 8][c], (f) % 8) : subgroupBroadcast(x[(f) / 16][c], (f) % 16))
#define ELEMENT_A(q, i) (TRANS_A ? PART(8 * q + (i) / 4, (i) % 4) : PART(i, q))
#define TERM(q, i) sum = fma(vec4(ELEMENT_A(q, i)), y[q], sum);
#define ROW(i) { vec4 sum = acc[i]; TERM(0, i) TERM(1, i) TERM(2, i) TERM(3, i) acc[i] = sum; }
#define ROWS(i) ROW(i) ROW(i + 1) ROW(i + 2) ROW(i + 3) ROW(i + 4) ROW(i + 5) ROW(i + 6) ROW(i + 7)

// Components of v whose k is past K's end become zero.
vec4 cut(vec4 v, uvec4 k) { return K_TAIL ? mix(v, vec4(0), greaterThanEqual(k, uvec4(K))) : v; }

void main() {
    uint lane = gl_SubgroupInvocationID;
    uint m0 = gl_WorkGroupID.y * BM, n = gl_WorkGroupID.x * BN + 4 * lane; // the tile's rows, the lane's columns
    uint baseA = offA + gl_WorkGroupID.z * stepA, baseB = offB + gl_WorkGroupID.z * stepB;
    const uvec4 FOUR = uvec4(0, 1, 2, 3);

    // Of arrays of four along LOADS, 16 lanes use two.
    vec4 acc[BM], of_row[4]; // of_row: what the lane loads of op(A), added up along K
    uint rowA[4], rowB[4];   // where the rows begin that the lane reads along K: the driver would find them anew at each step
    [[unroll]] for (uint i = 0; i < BM; i++) acc[i] = vec4(0);
    [[unroll]] for (uint g = 0; g < LOADS; g++) {
        of_row[g] = vec4(0);
        rowA[g] = baseA + min(m0 + LANES * g + lane, M - 1) * ldA;
    }
    [[unroll]] for (uint j = 0; j < 4; j++) rowB[j] = baseB + min(n + j, N - 1) * ldB;

    for (uint k = 0; k < K; k += BK) {
        vec4 x[4], t[4];
        [[unroll]] for (uint g = 0; g < LOADS; g++) {
            uint f = LANES * g + lane, kf = k + (LANES == 8 ? g : f / 8); // the same, but plainly one number for all lanes
            if (TRANS_A) x[g] = cut(quad_a(baseA + min(kf, K - 1) * ldA, m0 + 4 * (f % 8), M), uvec4(kf));
            else x[g] = cut(quad_a(rowA[g], k, K), k + FOUR);
        }
        [[unroll]] for (uint j = 0; j < 4; j++) {
            if (TRANS_B) t[j] = cut(quad_b(rowB[j], k, K), k + FOUR);
            else t[j] = cut(quad_b(baseB + min(k + j, K - 1) * ldB, n, N), uvec4(k + j));
        }
        [[unroll]] for (uint g = 0; g < LOADS; g++) {
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
        if (TRANS_A) {
            // By k modulo four, (0 + 2) + (1 + 3): with 16 lanes the odd terms are in the upper eight.
            vec4 even = LANES == 8 ? of_row[0] + of_row[2] : of_row[0] + of_row[1];
            vec4 odd = LANES == 8 ? of_row[1] + of_row[3] : vec4(0);
#define UPPER(l) { vec4 other = subgroupBroadcast(even, l + 8); if (lane == l) odd = other; }
            if (LANES == 16) { UPPER(0) UPPER(1) UPPER(2) UPPER(3) UPPER(4) UPPER(5) UPPER(6) UPPER(7) }
            if (lane < 8) [[unroll]] for (uint g = 0; g < 4; g++) store_sum(m0 + 4 * lane + g, even[g] + odd[g]);
        } else {
            [[unroll]] for (uint g = 0; g < LOADS; g++) store_sum(m0 + LANES * g + lane, dot(of_row[g], vec4(1)));
        }
    }

    // A rolled loop: 32 copies of what follows would compile for seconds. As it indexes acc by a variable, acc is memory for the
    // driver, in the loop above, too.
    if (n >= N) return;
    vec4 add = BIAS && VEC_C ? bias4(n) : vec4(0);
    [[dont_unroll]] for (uint i = 0, end = min(BM, M - m0); i < end; i++) {
        uint m = m0 + i;
        if (VEC_C) finish4(m, n, acc[i] + add); // n and N are multiples of four, so all four columns exist
        else [[dont_unroll]] for (uint j = 0, columns = min(4, N - n); j < columns; j++) store(m, n + j, acc[i][j]);
    }
}
