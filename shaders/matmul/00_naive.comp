// SPDX-License-Identifier: MIT
// Matrix product, naive: one invocation owns one element of C and walks along K.
// The foot of the ladder: 2 loads for each multiply-add, so it runs at the speed of the memory and not of the arithmetic.
// Computes, Shapes, Push: see matmul.glsl
// Spec:     0 LOCAL invocations a workgroup; 1 to 7, 10 to 13 see matmul.glsl
// Dispatch: (ceil(N/LOCAL), M, batch); a workgroup owns LOCAL neighbouring columns of one row
// Precision: operands fp32, or rounded as they are loaded; one fp32 chain of K additions
// CPU:      kernels/ref/matmul.go MatMul
// Backward: dA = dC op(B)ᵀ and dB = op(A)ᵀ dC: this shader with other constants
#version 450
#extension GL_GOOGLE_include_directive : require
#include "matmul.glsl"

layout(local_size_x_id = 0) in;

void main() {
    uint m = gl_WorkGroupID.y, n = gl_GlobalInvocationID.x;
    if (n >= N) return;
    float sum = 0, of_row = 0;
    for (uint k = 0; k < K; k++) {
        float x = element_a(index_a(m, k));
        sum = fma(x, element_b(index_b(k, n)), sum);
        if (ROW_SUM != 0) of_row += x;
    }
    store(m, n, sum);
    if (ROW_SUM != 0 && n == 0) store_sum(m, of_row);
}
