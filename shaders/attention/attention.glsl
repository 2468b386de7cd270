// SPDX-License-Identifier: MIT
//
// Purpose: what every rung of the attention ladder shares: the head size and what half precision means.
// Spec:      1 D, a multiple of 8; 2 PRECISION: 0 fp32, 1 fp16, 2 bf16; HALVES_ID, the last: IN_HALVES, bit b of which says that what
//            is bound as b lies in halves of PRECISION
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

// Tensors, as READS and WRITES declare them, whatever they lie in: FOUR(name, i) is a tensor's four i, OPERAND the same as products see
// it, STORE puts one there. READS_ONES and OPERAND_ONE are for single numbers, READS_WORDS and OPERAND_WORDS for fours in words of 64
// bits (words.glsl).
#ifdef HALVES_ID
layout(constant_id = HALVES_ID) const uint IN_HALVES = 0;
#define BOTH(number, access, name) \
    const bool halves_##name = (IN_HALVES >> number & 1) != 0; \
    layout(set = 0, binding = number, std430) restrict access buffer Floats_##name { vec4 name[]; }; \
    layout(set = 0, binding = number, std430) restrict access buffer Halves_##name { uvec2 half_##name[]; };
#define READS(number, name) BOTH(number, readonly, name)
#define WRITES(number, name) BOTH(number, writeonly, name)
#define READS_ONES(number, name) \
    const bool halves_##name = (IN_HALVES >> number & 1) != 0; \
    layout(set = 0, binding = number, std430) restrict readonly buffer Floats_##name { float name[]; }; \
    layout(set = 0, binding = number, std430) restrict readonly buffer Halves_##name { uint half_##name[]; };
#define READS_WORDS(number, name) \
    const bool halves_##name = (IN_HALVES >> number & 1) != 0; \
    layout(set = 0, binding = number, std430) restrict readonly buffer Floats_##name { u64vec2 name[]; }; \
    layout(set = 0, binding = number, std430) restrict readonly buffer Halves_##name { uint64_t half_##name[]; };
#define FOUR(name, i) (halves_##name ? unpack_halves(PRECISION, half_##name[i]) : name[i])
#define OPERAND(name, i) (halves_##name ? unpack_halves(PRECISION, half_##name[i]) : rounded(name[i]))
#define OPERAND_ONE(name, i) (halves_##name ? unpack_half(PRECISION, half_##name[(i) / 2], i) : rounded(name[i]))
#define OPERAND_WORDS(name, i) \
    (halves_##name ? unpack_halves(PRECISION, unpackUint2x32(half_##name[i])) : rounded(floats(name[i])))
#define STORE(name, i, v) { if (halves_##name) half_##name[i] = pack_halves(PRECISION, v); else name[i] = v; }
#endif

#endif
