// SPDX-License-Identifier: MIT
// Matrix product, register tiles: a workgroup owns a 64 x 64 tile of C, an invocation 4 x 4 elements of it in registers.
// Differs from the rung below by registers: what an invocation reads from shared memory serves 4 elements of C and not 1, so
// that 8 reads feed 16 multiply-adds. The tile grows with it: 64 elements of C use what was loaded from memory once.
// Computes, Shapes, Push: see matmul.glsl
// Spec:     1 to 7, 10 to 14 see matmul.glsl
// Dispatch: (ceil(N/BN), ceil(M/BM), batch), 256 invocations as 16 x 16
// Precision: operands fp32, or rounded as they are staged; one fp32 chain of K additions
// CPU:      kernels/ref/matmul.go MatMul
// Backward: dA = dC op(B)ᵀ and dB = op(A)ᵀ dC: this shader with other constants
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "matmul.glsl"

const uint BM = 64, BN = 64, BK = 16; // a workgroup's tile of C and its step along K
const uint TM = 4, TN = 4;            // an invocation's part of the tile
const uint SIDE = 16;                 // invocations along each side of the tile
const uint LOCAL = SIDE * SIDE;
const uint STEP = 4;                  // steps along K that are unrolled

layout(local_size_x = 256) in;

// One slice of op(A) and op(B), both with K first. The odd row length spreads a walk along k, which staging an operand that
// is contiguous in k makes, over the banks of shared memory.
shared float As[BK][BM + 1];
shared float Bs[BK][BN + 1];

void main() {
    uint id = gl_LocalInvocationIndex;
    uint tx = id % SIDE, ty = id / SIDE;
    uvec2 tile = tile_of_c();
    uint m0 = tile.y * BM, n0 = tile.x * BN;
    float acc[TM][TN], of_row[TM];
    [[unroll]] for (uint i = 0; i < TM; i++) {
        of_row[i] = 0;
        [[unroll]] for (uint j = 0; j < TN; j++) acc[i][j] = 0;
    }

    for (uint k0 = 0; k0 < K; k0 += BK) {
        // Each invocation stages BM * BK / LOCAL = 4 floats of both, neighbours reading neighbours. Past the edge: zero.
        [[unroll]] for (uint s = 0; s < BM * BK; s += LOCAL) {
            uint e = s + id;
            uint i = TRANS_A ? e % BM : e / BK, k = TRANS_A ? e / BM : e % BK;
            As[k][i] = m0 + i < M && k0 + k < K ? element_a(index_a(m0 + i, k0 + k)) : 0.0;
            uint j = TRANS_B ? e / BK : e % BN, l = TRANS_B ? e % BK : e / BN;
            Bs[l][j] = n0 + j < N && k0 + l < K ? element_b(index_b(k0 + l, n0 + j)) : 0.0;
        }
        // All of As and Bs is written before any of it is read.
        barrier();
        // Unrolled by STEP and not by BK: a CPU driver would compile for seconds, and a GPU's compiler goes on by itself.
        for (uint k1 = 0; k1 < BK; k1 += STEP) [[unroll]] for (uint k = k1; k < k1 + STEP; k++) {
            float x[TM], y[TN];
            // Rows and columns SIDE apart, not side by side: a subgroup's reads of Bs fall into different banks, its reads
            // of As are broadcasts, and its stores to C are contiguous.
            [[unroll]] for (uint i = 0; i < TM; i++) x[i] = As[k][ty + i * SIDE];
            [[unroll]] for (uint j = 0; j < TN; j++) y[j] = Bs[k][tx + j * SIDE];
            [[unroll]] for (uint i = 0; i < TM; i++) {
                if (ROW_SUM != 0) of_row[i] += x[i];
                [[unroll]] for (uint j = 0; j < TN; j++) acc[i][j] = fma(x[i], y[j], acc[i][j]);
            }
        }
        // All of As and Bs is read before the next slice overwrites it.
        barrier();
    }

    [[unroll]] for (uint i = 0; i < TM; i++)
        [[unroll]] for (uint j = 0; j < TN; j++) {
            uint m = m0 + ty + i * SIDE, n = n0 + tx + j * SIDE;
            if (m < M && n < N) store(m, n, acc[i][j]);
        }
    if (ROW_SUM != 0 && n0 + tx == 0) [[unroll]] for (uint i = 0; i < TM; i++) store_sum(m0 + ty + i * SIDE, of_row[i]);
}
