// SPDX-License-Identifier: MIT
//
// Purpose: what every rung of the matmul ladder shares: bindings, sizes, the four transpose cases and the epilogue.
// Computes: C = op(A) op(B) [+ bias of the column] [+ residual] [+ C], op the identity or the transpose
// Shapes:   op(A) (M,K), op(B) (K,N), C and residual (M,N), bias (N); z counts the batch's matrices
//           In memory A is (M,K), or (K,M) where TRANS_A is set; B is (K,N), or (N,K) where TRANS_B is set.
// Push:     M, N, K; ldX: floats from a row of X to the next; offX: floats to its first row; stepX: floats from one
//           matrix of a batch to the next
// Spec:     0 LOCAL (rungs with a free workgroup size); 1 TRANS_A; 2 TRANS_B; 3 ACCUMULATE; 4 BIAS; 5 RESIDUAL
//           6, 7, 8 VEC_A, VEC_B, VEC_C: rows of A, B, (C, residual) start at and are multiples of four floats
//           9 K_TAIL: K is not a multiple of four; 10 PRECISION: 0 fp32, 1 fp16, 2 bf16: A and B are rounded to that
//           when they are loaded, and their products, which are exact in fp32, are added in fp32

#ifndef MATMUL_GLSL
#define MATMUL_GLSL

#include "precision.glsl"

layout(set = 0, binding = 0, std430) buffer C { float c[]; };
layout(set = 0, binding = 1, std430) readonly buffer A { float a[]; };
layout(set = 0, binding = 2, std430) readonly buffer B { float b[]; };
layout(set = 0, binding = 3, std430) readonly buffer Bias { float bias[]; };
layout(set = 0, binding = 4, std430) readonly buffer Residual { float residual[]; };
layout(push_constant) uniform Push {
    uint M, N, K;
    uint ldC, offC, stepC;
    uint ldA, offA, stepA;
    uint ldB, offB, stepB;
    uint ldR, offR, stepR;
    uint offBias;
};
layout(constant_id = 1) const bool TRANS_A = false;
layout(constant_id = 2) const bool TRANS_B = false;
layout(constant_id = 3) const bool ACCUMULATE = false;
layout(constant_id = 4) const bool BIAS = false;
layout(constant_id = 5) const bool RESIDUAL = false;
layout(constant_id = 6) const bool VEC_A = false;
layout(constant_id = 7) const bool VEC_B = false;
layout(constant_id = 8) const bool VEC_C = false;
layout(constant_id = 9) const bool K_TAIL = false;
layout(constant_id = 10) const uint PRECISION = 0;

// Operands as the product sees them.
vec4 rounded(vec4 v) { return PRECISION == 1 ? round_fp16(v) : PRECISION == 2 ? round_bf16(v) : v; }
float rounded(float v) { return PRECISION == 0 ? v : rounded(vec4(v)).x; }

// Where element (m,k) of op(A), (k,n) of op(B), (m,n) of C and of the residual lie (floats).
uint index_a(uint m, uint k) { return offA + gl_WorkGroupID.z * stepA + (TRANS_A ? k * ldA + m : m * ldA + k); }
uint index_b(uint k, uint n) { return offB + gl_WorkGroupID.z * stepB + (TRANS_B ? n * ldB + k : k * ldB + n); }
uint index_c(uint m, uint n) { return offC + gl_WorkGroupID.z * stepC + m * ldC + n; }
uint index_r(uint m, uint n) { return offR + gl_WorkGroupID.z * stepR + m * ldR + n; }

// Writes one element of the product, with the epilogue that the constants ask for.
void store(uint m, uint n, float v) {
    if (BIAS) v += bias[offBias + n];
    if (RESIDUAL) v += residual[index_r(m, n)];
    if (ACCUMULATE) v += c[index_c(m, n)];
    c[index_c(m, n)] = v;
}

#endif
