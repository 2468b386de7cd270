// SPDX-License-Identifier: MIT
// Matrix product, tiled: a workgroup owns a 16 x 16 tile of C, an invocation one element of it.
// Differs from the rung below by sharing: the workgroup loads 16 x 16 pieces of A and B into shared memory together, and
// each float that came from memory is then used 16 times.
// Computes, Shapes, Push: see matmul.glsl
// Spec:     1 to 7, 10 to 14 see matmul.glsl
// Dispatch: (ceil(N/SIDE), ceil(M/SIDE), batch), 256 invocations as 16 x 16
// Precision: operands fp32, or rounded as they are staged; one fp32 chain of K additions
// CPU:      kernels/ref/matmul.go MatMul
// Backward: dA = dC op(B)ᵀ and dB = op(A)ᵀ dC: this shader with other constants
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "matmul.glsl"

const uint SIDE = 16; // of the tile, of the workgroup, and the step along K

layout(local_size_x = 256) in;

// One piece of op(A), rows first, and one of op(B), K first. The odd row length spreads a column, which is what staging a
// transposed operand writes, over the banks of shared memory.
shared float As[SIDE][SIDE + 1];
shared float Bs[SIDE][SIDE + 1];

void main() {
    uint x = gl_LocalInvocationIndex % SIDE, y = gl_LocalInvocationIndex / SIDE;
    uvec2 tile = tile_of_c();
    uint m0 = tile.y * SIDE, n0 = tile.x * SIDE;
    float sum = 0, of_row = 0;
    for (uint k0 = 0; k0 < K; k0 += SIDE) {
        // Each invocation stages one float of both, neighbours (x) reading neighbours in memory. Past the edge: zero.
        uint i = TRANS_A ? x : y, k = k0 + (TRANS_A ? y : x);
        As[i][k - k0] = m0 + i < M && k < K ? element_a(index_a(m0 + i, k)) : 0.0;
        uint j = TRANS_B ? y : x, l = k0 + (TRANS_B ? x : y);
        Bs[l - k0][j] = n0 + j < N && l < K ? element_b(index_b(l, n0 + j)) : 0.0;
        // All of As and Bs is written before any of it is read.
        barrier();
        [[unroll]] for (uint q = 0; q < SIDE; q++) {
            sum = fma(As[y][q], Bs[q][x], sum);
            if (ROW_SUM != 0) of_row += As[y][q];
        }
        // All of As and Bs is read before the next pieces overwrite it.
        barrier();
    }
    if (m0 + y < M && n0 + x < N) store(m0 + y, n0 + x, sum);
    if (ROW_SUM != 0 && n0 + x == 0) store_sum(m0 + y, of_row);
}
