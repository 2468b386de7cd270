// SPDX-License-Identifier: MIT
//
// Purpose: what every rung of the attention ladder shares: the head size and what half precision means.
// Spec:      1 D, a multiple of 8; 2 PRECISION: 0 fp32, 1 fp16, 2 bf16
// Precision: below fp32, the operands of each product are rounded: q, k, v and do when they are loaded, the probabilities p
//            before they multiply v and do, their gradient ds before it multiplies q and k. That is what a matrix unit with
//            half operands and fp32 sums computes. The scores' scale, softmax, lse, delta, all sums and what is stored are
//            fp32; the sum that divides o is of p before rounding, and scale multiplies dq and dk at the end.

#ifndef ATTENTION_GLSL
#define ATTENTION_GLSL

#include "math.glsl"
#include "precision.glsl"

layout(constant_id = 1) const uint D = 64;
layout(constant_id = 2) const uint PRECISION = 0;

// Operands as the products see them.
vec4 rounded(vec4 v) { return PRECISION == 0 ? v : round_to(PRECISION, v); }
float rounded(float v) { return PRECISION == 0 ? v : rounded(vec4(v)).x; }

#endif
