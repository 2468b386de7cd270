// SPDX-License-Identifier: MIT
//
// Purpose: what every rung of the matmul ladder shares: bindings, sizes, the four transpose cases and the epilogue.
// Computes: V = op(A) op(B) [+ bias of the column] [+ residual] [+ C], op the identity or the transpose, and by SWIGLU:
//           0  C = V
//           1  V is the gate of a SwiGLU whose value lies in C's rows already: C = V, H = silu(C) value
//           2  the same, and V is not kept; it counts as C would hold it
//           3  V is dh, the gradient of such an h; H holds gate and value, C gets dgate and dvalue (swiglu_bwd.comp)
//           ROW_SUM: sums[m] is the sum of row m of op(A) as the product sees it. Where the product is a weight's gradient
//           dyᵀ x, that is the bias's. The workgroups of C's first columns have op(A) at hand and write it.
// Shapes:   op(A) (M,K), op(B) (K,N), C, H and residual (M,N), bias (N), sums (M). z counts the batch's matrices, or the slices
//           of a product that is split along K: each has its own C and sums, which sumslices.comp adds up.
//           In memory A is (M,K), or (K,M) where TRANS_A is set; B is (K,N), or (N,K) where TRANS_B is set.
// Push:     M, N; eachK: K of every z; lastK: of the last slice; ldX: elements from a row of X to the next; offX:
//           elements to its first row; stepX: elements from z to z+1; toValue: floats from a gate to its value, modulo 2^32
// Spec:     0 LOCAL (rungs with a free workgroup size); 1 TRANS_A; 2 TRANS_B; 3 ACCUMULATE; 4 BIAS; 5 RESIDUAL
//           6, 7 LAY_A, LAY_B: 1 where rows of A, B start at and are multiples of four elements; 2 where they do and lie in
//           halves of that PRECISION; else 0. 8 LAY_C: 1 where rows of C, residual and H do, and 2 more where C, 4 more where
//           H lies in halves; else 0
//           9 K_TAIL: K is not a multiple of four or, from 06 on, of BK
//           10 PRECISION: 0 fp32, 1 fp16, 2 bf16: A and B are rounded to that
//           when they are loaded, and their products, which are exact in fp32, are added in fp32
//           11 SWIGLU, see above; 12 ROW_SUM: 0 none, 1 written, 2 added to; 13 SPLIT: z counts slices
//           14 GROUP: rows of tiles that are walked together, see tile_of_c

#ifndef MATMUL_GLSL
#define MATMUL_GLSL

#include "math.glsl"
#include "precision.glsl"

layout(set = 0, binding = 0, std430) buffer C { float c[]; };
layout(set = 0, binding = 1, std430) readonly buffer A { float a[]; };
layout(set = 0, binding = 2, std430) readonly buffer B { float b[]; };
layout(set = 0, binding = 3, std430) readonly buffer Bias { float bias[]; };
layout(set = 0, binding = 4, std430) readonly buffer Residual { float residual[]; };
layout(set = 0, binding = 5, std430) buffer H { float h[]; };
layout(set = 0, binding = 6, std430) buffer Sums { float sums[]; };
// A and B in halves, two to a word.
layout(set = 0, binding = 1, std430) readonly buffer A2 { uint a2[]; };
layout(set = 0, binding = 2, std430) readonly buffer B2 { uint b2[]; };
layout(push_constant) uniform Push {
    uint M, N, eachK, lastK;
    uint ldC, offC, stepC;
    uint ldA, offA, stepA;
    uint ldB, offB, stepB;
    uint ldR, offR, stepR;
    uint offBias;
    uint ldH, offH, stepH;
    uint toValue;
};
layout(constant_id = 1) const bool TRANS_A = false;
layout(constant_id = 2) const bool TRANS_B = false;
layout(constant_id = 3) const bool ACCUMULATE = false;
layout(constant_id = 4) const bool BIAS = false;
layout(constant_id = 5) const bool RESIDUAL = false;
layout(constant_id = 6) const uint LAY_A = 0;
layout(constant_id = 7) const uint LAY_B = 0;
layout(constant_id = 8) const uint LAY_C = 0;
layout(constant_id = 9) const bool K_TAIL = false;
layout(constant_id = 10) const uint PRECISION = 0;
layout(constant_id = 11) const uint SWIGLU = 0;
layout(constant_id = 12) const uint ROW_SUM = 0;
layout(constant_id = 13) const bool SPLIT = false;
layout(constant_id = 14) const uint GROUP = 1;
const bool VEC_A = LAY_A != 0, VEC_B = LAY_B != 0, VEC_C = LAY_C != 0;
const bool HALF_A = LAY_A == 2, HALF_B = LAY_B == 2, HALF_C = (LAY_C & 2) != 0, HALF_H = (LAY_C & 4) != 0;

// Terms of a sum. The last slice of a split product may have fewer; other products do not ask.
uint K = SPLIT && gl_WorkGroupID.z + 1 == gl_NumWorkGroups.z ? lastK : eachK;

// The workgroup's tile of C as (column, row), counted in tiles. GPUs start workgroups about by their number, x first: those with
// neighbouring numbers run together. Row by row, n of them would share a strip of A and read n strips of B. Here groups of
// GROUP rows are walked column by column: GROUP strips of A and n / GROUP of B, which the L2 cache has to read from memory once.
uvec2 tile_of_c() {
    if (GROUP == 1) return gl_WorkGroupID.xy;
    uint columns = gl_NumWorkGroups.x, number = gl_WorkGroupID.y * columns + gl_WorkGroupID.x;
    uint first = number / (GROUP * columns) * GROUP, within = number % (GROUP * columns);
    uint height = min(GROUP, gl_NumWorkGroups.y - first); // rows of this group: the last may have fewer
    return uvec2(within / height, first + within % height);
}

// Operands as the product sees them: rounded, unless they are in halves and have been.
vec4 rounded(vec4 v) { return PRECISION == 0 ? v : round_to(PRECISION, v); }
vec4 rounded_a(vec4 v) { return HALF_A ? v : rounded(v); }
vec4 rounded_b(vec4 v) { return HALF_B ? v : rounded(v); }

// Element i of A and of B in memory, rounded.
float element_a(uint i) { return HALF_A ? unpack_half(PRECISION, a2[i / 2], i) : rounded(vec4(a[i])).x; }
float element_b(uint i) { return HALF_B ? unpack_half(PRECISION, b2[i / 2], i) : rounded(vec4(b[i])).x; }

// Where element (m,k) of op(A), (k,n) of op(B), (m,n) of C, of the residual and of H lie (elements).
uint index_a(uint m, uint k) { return offA + gl_WorkGroupID.z * stepA + (TRANS_A ? k * ldA + m : m * ldA + k); }
uint index_b(uint k, uint n) { return offB + gl_WorkGroupID.z * stepB + (TRANS_B ? n * ldB + k : k * ldB + n); }
uint index_c(uint m, uint n) { return offC + gl_WorkGroupID.z * stepC + m * ldC + n; }
uint index_r(uint m, uint n) { return offR + gl_WorkGroupID.z * stepR + m * ldR + n; }
uint index_h(uint m, uint n) { return offH + gl_WorkGroupID.z * stepH + m * ldH + n; }

// Four elements of h = silu(gate) value.
vec4 swiglu(vec4 gate, vec4 value) { return gate * sigmoid4(gate) * value; }

// Their gradients, given that of h.
void swiglu_gradients(vec4 dh, vec4 gate, vec4 value, out vec4 dgate, out vec4 dvalue) {
    vec4 s = sigmoid4(gate);
    dvalue = dh * gate * s;
    dgate = dh * value * s * (1.0 + gate * (1.0 - s));
}

// Writes one element of the product, with the epilogue that the constants ask for. C and H are not in halves.
void store(uint m, uint n, float v) {
    uint to = index_c(m, n);
    if (BIAS) v += bias[offBias + n];
    if (RESIDUAL) v += residual[index_r(m, n)];
    if (ACCUMULATE) v += c[to];
    if (SWIGLU == 1 || SWIGLU == 2) h[index_h(m, n)] = swiglu(vec4(v), vec4(c[to + toValue])).x;
    if (SWIGLU == 0 || SWIGLU == 1) c[to] = v;
    if (SWIGLU == 3) {
        uint from = index_h(m, n);
        vec4 dgate, dvalue;
        swiglu_gradients(vec4(v), vec4(h[from]), vec4(h[from + toValue]), dgate, dvalue);
        c[to] = dgate.x;
        c[to + toValue] = dvalue.x;
    }
}

// Writes the sum of row m of op(A). Only slices have a z here: batches have no row sums.
void store_sum(uint m, float v) {
    uint to = gl_WorkGroupID.z * M + m;
    if (m < M) sums[to] = ROW_SUM == 2 ? sums[to] + v : v;
}

#endif
