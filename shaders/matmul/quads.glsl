// SPDX-License-Identifier: MIT
//
// Purpose: op(A), op(B) and C in fours of floats that lie side by side in memory, for the rungs that move vectors.
// Needs matmul.glsl. What lies past an edge reads as zero and is not written.

#ifndef QUADS_GLSL
#define QUADS_GLSL

// The same memory in fours.
layout(set = 0, binding = 0, std430) buffer C4 { vec4 c4[]; };
layout(set = 0, binding = 1, std430) readonly buffer A4 { vec4 a4[]; };
layout(set = 0, binding = 2, std430) readonly buffer B4 { vec4 b4[]; };
layout(set = 0, binding = 4, std430) readonly buffer Residual4 { vec4 residual4[]; };
layout(set = 0, binding = 5, std430) buffer H4 { vec4 h4[]; };
// And in fours of halves.
layout(set = 0, binding = 0, std430) buffer CHalves { uvec2 c_halves[]; };
layout(set = 0, binding = 1, std430) readonly buffer AHalves { uvec2 a_halves[]; };
layout(set = 0, binding = 2, std430) readonly buffer BHalves { uvec2 b_halves[]; };
layout(set = 0, binding = 5, std430) buffer HHalves { uvec2 h_halves[]; };

// Four neighbours in memory from element (m,k) of op(A) on: along K, or along M where TRANS_A is set.
vec4 load_a(uint m, uint k) {
    uint left = TRANS_A ? M - min(m, M) : K - min(k, K); // floats to the row's end
    if (left == 0 || (TRANS_A ? k >= K : m >= M)) return vec4(0);
    uint i = index_a(m, k);
    if (HALF_A) return unpack_halves(PRECISION, a_halves[i / 4]); // rows are multiples of four, and so is where a load begins
    if (VEC_A) return a4[i / 4];
    return vec4(a[i], left > 1 ? a[i + 1] : 0.0, left > 2 ? a[i + 2] : 0.0, left > 3 ? a[i + 3] : 0.0);
}

// Four neighbours in memory from element (k,n) of op(B) on: along N, or along K where TRANS_B is set.
vec4 load_b(uint k, uint n) {
    uint left = TRANS_B ? K - min(k, K) : N - min(n, N);
    if (left == 0 || (TRANS_B ? n >= N : k >= K)) return vec4(0);
    uint i = index_b(k, n);
    if (HALF_B) return unpack_halves(PRECISION, b_halves[i / 4]);
    if (VEC_B) return b4[i / 4];
    return vec4(b[i], left > 1 ? b[i + 1] : 0.0, left > 2 ? b[i + 2] : 0.0, left > 3 ? b[i + 3] : 0.0);
}

// The bias of four columns.
vec4 bias4(uint n) { return vec4(bias[offBias + n], bias[offBias + n + 1], bias[offBias + n + 2], bias[offBias + n + 3]); }

// Four elements of C and of H in memory, from element i on.
vec4 read_c(uint i) { return HALF_C ? unpack_halves(PRECISION, c_halves[i / 4]) : c4[i / 4]; }
vec4 read_h(uint i) { return HALF_H ? unpack_halves(PRECISION, h_halves[i / 4]) : h4[i / 4]; }
void write_c(uint i, vec4 v) {
    if (HALF_C) c_halves[i / 4] = pack_halves(PRECISION, v);
    else c4[i / 4] = v;
}

// store of matmul.glsl for four columns of one row that VEC_C says are one vec4, and whose bias has been added. What is added to
// C lies in fp32.
void finish4(uint m, uint n, vec4 v) {
    uint to = index_c(m, n);
    if (RESIDUAL) v += residual4[index_r(m, n) / 4];
    if (ACCUMULATE) v += c4[to / 4];
    if (SWIGLU == 1 || SWIGLU == 2) {
        vec4 product = swiglu(HALF_C ? rounded(v) : v, read_c(to + toValue));
        uint at = index_h(m, n) / 4;
        if (HALF_H) h_halves[at] = pack_halves(PRECISION, product);
        else h4[at] = product;
    }
    if (SWIGLU == 0 || SWIGLU == 1) write_c(to, v);
    if (SWIGLU == 3) {
        uint from = index_h(m, n);
        vec4 dgate, dvalue;
        swiglu_gradients(v, read_h(from), read_h(from + toValue), dgate, dvalue);
        write_c(to, dgate);
        write_c(to + toValue, dvalue);
    }
}

// Writes four columns of one row of the product, with the epilogue.
void store4(uint m, uint n, vec4 v) {
    if (m >= M || n >= N) return;
    if (VEC_C) { // N is a multiple of four, so all four columns exist
        if (BIAS) v += bias4(n);
        finish4(m, n, v);
    } else {
        for (uint j = 0; j < min(4, N - n); j++) store(m, n + j, v[j]);
    }
}

#endif
