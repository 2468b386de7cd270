// SPDX-License-Identifier: MIT
// Matrix product, vectors and prefetch: the 64 x 64 tile of the rung below, or 128 x 128, fed by loads of four floats, one ahead.
// Differs from the rung below by how data moves: memory and shared memory are read, and C is written, in vec4, a quarter of
// the instructions; and the next slice is on its way into registers while this one is multiplied, so that its latency hides
// behind the arithmetic. Where registers hold an 8 x 8 block of C instead of 4 x 4, a float from shared memory serves twice as
// many multiply-adds. The rung for GPUs in fp32.
// Computes, Shapes, Push: see matmul.glsl
// Spec:     1 to 8, 10 to 14 see matmul.glsl; 15 BLOCKS: blocks of 4 x 4 along each side of what an invocation computes, 1 or 2
// Dispatch: (ceil(N/BN), ceil(M/BM), batch), 256 invocations as 16 x 16
// Precision: operands fp32, or rounded as they are staged; one fp32 chain of K additions
// CPU:      kernels/ref/matmul.go MatMul
// Backward: dA = dC op(B)ᵀ and dB = op(A)ᵀ dC: this shader with other constants
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "matmul.glsl"
#include "quads.glsl"

layout(constant_id = 15) const uint BLOCKS = 1;
const uint SIDE = 16, STEP = 4;                                 // invocations along each side of the tile; steps along K that are unrolled
const uint PART = 4 * SIDE;                                     // rows, or columns, of the tile that a block of each invocation makes up
const uint BM = PART * BLOCKS, BN = PART * BLOCKS, BK = 16;     // a workgroup's tile of C and its step along K

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

    // acc[(r * BLOCKS + c) * 4 + i] is row i of the block in part r of the tile's rows and part c of its columns.
    vec4 acc[4 * BLOCKS * BLOCKS], of_row[BLOCKS], next_a[BLOCKS], next_b[BLOCKS];
    [[unroll]] for (uint i = 0; i < 4 * BLOCKS * BLOCKS; i++) acc[i] = vec4(0);
    [[unroll]] for (uint r = 0; r < BLOCKS; r++) {
        of_row[r] = vec4(0);
        next_a[r] = load_a(m0 + r * PART + ai, ak);
        next_b[r] = load_b(bk, n0 + r * PART + bj);
    }

    for (uint k0 = 0; k0 < K; k0 += BK) {
        [[unroll]] for (uint r = 0; r < BLOCKS; r++) {
            stage_a(!TRANS_A, r * PART + ai, ak, rounded_a(next_a[r]));
            stage_b(TRANS_B, r * PART + bj, bk, rounded_b(next_b[r]));
        }
        // All of As and Bs is written before any of it is read.
        barrier();
        [[unroll]] for (uint r = 0; r < BLOCKS; r++) {
            next_a[r] = load_a(m0 + r * PART + ai, k0 + BK + ak);
            next_b[r] = load_b(k0 + BK + bk, n0 + r * PART + bj);
        }
        // Unrolled by STEP and not by BK: a CPU driver would compile for seconds, and a GPU's compiler goes on by itself.
        for (uint k1 = 0; k1 < BK; k1 += STEP) [[unroll]] for (uint k = k1; k < k1 + STEP; k++) {
            vec4 y[BLOCKS];
            [[unroll]] for (uint c = 0; c < BLOCKS; c++) y[c] = Bs[k][c * SIDE + tx];
            [[unroll]] for (uint r = 0; r < BLOCKS; r++) {
                vec4 x = As[k][r * SIDE + ty];
                if (ROW_SUM != 0) of_row[r] += x;
                [[unroll]] for (uint c = 0; c < BLOCKS; c++) [[unroll]] for (uint i = 0; i < 4; i++)
                    acc[(r * BLOCKS + c) * 4 + i] = fma(vec4(x[i]), y[c], acc[(r * BLOCKS + c) * 4 + i]);
            }
        }
        // All of As and Bs is read before the next slice overwrites it.
        barrier();
    }

    [[unroll]] for (uint r = 0; r < BLOCKS; r++) [[unroll]] for (uint i = 0; i < 4; i++) {
        uint m = m0 + r * PART + 4 * ty + i;
        [[unroll]] for (uint c = 0; c < BLOCKS; c++) store4(m, n0 + c * PART + 4 * tx, acc[(r * BLOCKS + c) * 4 + i]);
        if (ROW_SUM != 0 && n0 + tx == 0) store_sum(m, of_row[r][i]);
    }
}
