// SPDX-License-Identifier: MIT
// Matrix product, vectors and prefetch: the 64 x 64 tile of the rung below, fed by loads of four floats, one tile ahead.
// Differs from the rung below by how data moves: memory and shared memory are read, and C is written, in vec4, a quarter of
// the instructions; and the next slice is on its way into registers while this one is multiplied, so that its latency hides
// behind the arithmetic. The tier for GPUs in fp32.
// Computes, Shapes, Push: see matmul.glsl
// Spec:     1 to 8, 10 to 14 see matmul.glsl
// Dispatch: (ceil(N/BN), ceil(M/BM), batch), 256 invocations as 16 x 16
// Precision: operands fp32, or rounded as they are staged; one fp32 chain of K additions
// CPU:      kernels/ref/matmul.go MatMul
// Backward: dA = dC op(B)ᵀ and dB = op(A)ᵀ dC: this shader with other constants
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "matmul.glsl"
#include "quads.glsl"

const uint BM = 64, BN = 64, BK = 16; // a workgroup's tile of C and its step along K
const uint TM = 4;                    // an invocation's rows of the tile; it has one vec4 of columns
const uint SIDE = 16, STEP = 4;       // invocations along each side of the tile; steps along K that are unrolled

layout(local_size_x = 256) in;

// One slice of op(A) and op(B), both with K first, in fours along M and N. The extra vec4 a row spreads the scalar stores
// that transposing makes over the banks.
shared vec4 As[BK][BM / 4 + 1];
shared vec4 Bs[BK][BN / 4 + 1];

// Puts the four floats that an invocation loaded where the multiplication wants them: at step k of row group i.
// `along_k`: they are four steps of row i, and not four rows of step k.
void stage_a(bool along_k, uint i, uint k, vec4 v) {
    if (along_k) [[unroll]] for (uint q = 0; q < 4; q++) As[k + q][i / 4][i % 4] = v[q];
    else As[k][i / 4] = v;
}
void stage_b(bool along_k, uint j, uint k, vec4 v) {
    if (along_k) [[unroll]] for (uint q = 0; q < 4; q++) Bs[k + q][j / 4][j % 4] = v[q];
    else Bs[k][j / 4] = v;
}

void main() {
    uint id = gl_LocalInvocationIndex;
    uint tx = id % SIDE, ty = id / SIDE;
    uvec2 tile = tile_of_c();
    uint m0 = tile.y * BM, n0 = tile.x * BN;
    // Which four floats of a slice this invocation carries: 4 along K of one row of 16, or 4 of one row of 64.
    uint ai = TRANS_A ? 4 * (id % SIDE) : id / 4, ak = TRANS_A ? id / SIDE : 4 * (id % 4);
    uint bj = TRANS_B ? id / 4 : 4 * (id % SIDE), bk = TRANS_B ? 4 * (id % 4) : id / SIDE;

    vec4 acc[TM], of_row = vec4(0);
    [[unroll]] for (uint i = 0; i < TM; i++) acc[i] = vec4(0);
    vec4 next_a = load_a(m0 + ai, ak), next_b = load_b(bk, n0 + bj);

    for (uint k0 = 0; k0 < K; k0 += BK) {
        stage_a(!TRANS_A, ai, ak, rounded_a(next_a));
        stage_b(TRANS_B, bj, bk, rounded_b(next_b));
        // All of As and Bs is written before any of it is read.
        barrier();
        next_a = load_a(m0 + ai, k0 + BK + ak);
        next_b = load_b(k0 + BK + bk, n0 + bj);
        // Unrolled by STEP and not by BK: a CPU driver would compile for seconds, and a GPU's compiler goes on by itself.
        for (uint k1 = 0; k1 < BK; k1 += STEP) [[unroll]] for (uint k = k1; k < k1 + STEP; k++) {
            vec4 x = As[k][ty], y = Bs[k][tx];
            if (ROW_SUM != 0) of_row += x;
            [[unroll]] for (uint i = 0; i < TM; i++) acc[i] = fma(vec4(x[i]), y, acc[i]);
        }
        // All of As and Bs is read before the next slice overwrites it.
        barrier();
    }

    [[unroll]] for (uint i = 0; i < TM; i++) store4(m0 + 4 * ty + i, n0 + 4 * tx, acc[i]);
    if (ROW_SUM != 0 && n0 + tx == 0) [[unroll]] for (uint i = 0; i < TM; i++) store_sum(m0 + 4 * ty + i, of_row[i]);
}
