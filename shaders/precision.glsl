// SPDX-License-Identifier: MIT
//
// Purpose: rounding of fp32 numbers to what fp16 and bf16 can hold, to nearest, ties to even, in plain fp32 arithmetic: the
// same bits on every driver, with or without 16-bit types. (packHalf2x16 may round as the driver likes: Mesa's CPU driver
// cuts off.) NaN stays NaN; subnormal numbers of the 16-bit format are kept, beyond its largest number lies infinity.
// CPU: kernels/ref/precision.go FP16, BF16

#ifndef PRECISION_GLSL
#define PRECISION_GLSL

// Adds half a unit of the lowest bit that stays, less the last unit where that bit is even, and cuts `drop` bits off.
vec4 round_bits(vec4 v, int drop) {
    uvec4 u = floatBitsToUint(v);
    u += (1u << (drop - 1)) - 1u + ((u >> drop) & 1u);
    return uintBitsToFloat(u >> drop << drop);
}

// Four at a time and without branches, which a CPU driver pays for even where they are not taken.
vec4 round_fp16(vec4 v) {
    const float TINY = 6.103515625e-5, HUGE = 65520; // below: subnormal; from here on: rounds past the largest, 65504
    // Subnormal numbers are multiples of 2^-24. (Adding and subtracting 0.75 rounds alike, and spirv-opt drops it in loops.)
    const float UNITS = 16777216;
    vec4 subnormal = roundEven(v * UNITS) / UNITS;
    vec4 r = mix(round_bits(v, 13), subnormal, lessThan(abs(v), vec4(TINY)));
    r = mix(r, sign(v) * uintBitsToFloat(0x7f800000u), greaterThanEqual(abs(v), vec4(HUGE)));
    return mix(r, v, isnan(v));
}

vec4 round_bf16(vec4 v) { return mix(round_bits(v, 16), v, isnan(v)); }

#endif
