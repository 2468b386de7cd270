// SPDX-License-Identifier: MIT
//
// Purpose: rounding of fp32 numbers to what fp16 and bf16 can hold, to nearest, ties to even, in plain fp32 arithmetic: the
// same bits on every driver, with or without 16-bit types. (packHalf2x16 may round as the driver likes: Mesa's CPU driver
// cuts off.) NaN stays NaN; subnormal numbers of the 16-bit format are kept, beyond its largest number lies infinity.
// And halves in memory, two to a word: what is rounded when it is stored is what would be rounded when it is loaded.
// CPU: kernels/ref/precision.go FP16, BF16

#ifndef PRECISION_GLSL
#define PRECISION_GLSL

// Adds half a unit of the lowest bit that stays, less the last unit where that bit is even, and cuts `drop` bits off.
vec4 round_bits(vec4 v, int drop) {
    uvec4 u = floatBitsToUint(v);
    u += (1u << (drop - 1)) - 1u + ((u >> drop) & 1u);
    return uintBitsToFloat(u >> drop << drop);
}

// Which of v are NaN, by their bits: a compiler may take isnan for never true, and round_bits makes -0 of a NaN that is all ones,
// as NVIDIA's are: a gradient that overflowed would go unnoticed.
bvec4 not_a_number(vec4 v) { return greaterThan(floatBitsToInt(v) & 0x7fffffff, ivec4(0x7f800000)); }

// Four at a time and without branches, which a CPU driver pays for even where they are not taken.
vec4 round_fp16(vec4 v) {
    const float TINY = 6.103515625e-5, HUGE = 65520; // below: subnormal; from here on: rounds past the largest, 65504
    // Subnormal numbers are multiples of 2^-24. (Adding and subtracting 0.75 rounds alike, and spirv-opt drops it in loops.)
    const float UNITS = 16777216;
    vec4 subnormal = roundEven(v * UNITS) / UNITS;
    vec4 r = mix(round_bits(v, 13), subnormal, lessThan(abs(v), vec4(TINY)));
    r = mix(r, sign(v) * uintBitsToFloat(0x7f800000u), greaterThanEqual(abs(v), vec4(HUGE)));
    return mix(r, v, not_a_number(v));
}

vec4 round_bf16(vec4 v) { return mix(round_bits(v, 16), v, not_a_number(v)); }

// The format of halves is a kernels.Precision: 1 fp16, 2 bf16.
vec4 round_to(uint format, vec4 v) { return format == 1 ? round_fp16(v) : round_bf16(v); }

// Four floats, rounded, as two words, the first of two in the low bits. Of a NaN only that it is one is kept.
uvec2 pack_halves(uint format, vec4 v) {
    v = mix(round_to(format, v), uintBitsToFloat(uvec4(0x7fc00000u)), not_a_number(v));
    if (format == 1) return uvec2(packHalf2x16(v.xy), packHalf2x16(v.zw)); // exact: fp16 holds v
    uvec4 u = floatBitsToUint(v);
    return u.xz >> 16 | u.yw & 0xffff0000u;
}

// The four floats of two words.
vec4 unpack_halves(uint format, uvec2 w) {
    if (format == 1) return vec4(unpackHalf2x16(w.x), unpackHalf2x16(w.y));
    return uintBitsToFloat(uvec4(w.x << 16, w.x & 0xffff0000u, w.y << 16, w.y & 0xffff0000u));
}

// Element i of an array of halves, of which w is word i/2.
float unpack_half(uint format, uint w, uint i) {
    uint bits = w >> i % 2 * 16;
    return format == 1 ? unpackHalf2x16(bits).x : uintBitsToFloat(bits << 16);
}

#endif
