// SPDX-License-Identifier: MIT
//
// Purpose: random words and normals that depend on a counter and nothing else: no state, no order.
// Computes: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC 2011), then
//   Box-Muller on its four words.
// Use: #include "step.glsl" first; counter = (j/4, image, step, stream), key = seed. `stream` keeps the uses apart
//   (kernels.StreamNoise, ...).
// Precision: the words are exact; the normals within 1e-6 of |n| + 1 of float64. u has 24 bits, so |n| <= 5.77.
// CPU: kernels/ref/philox.go Philox, BoxMuller

#ifndef PHILOX_GLSL
#define PHILOX_GLSL

#include "math.glsl"

uvec4 philox(uvec4 c, uvec2 key) {
    for (int round_ = 0; round_ < 10; round_++) {
        uint hi0, lo0, hi1, lo1;
        umulExtended(0xD2511F53u, c.x, hi0, lo0);
        umulExtended(0xCD9E8D57u, c.z, hi1, lo1);
        c = uvec4(hi1 ^ c.y ^ key.x, lo1, hi0 ^ c.w ^ key.y, lo0);
        key += uvec2(0x9E3779B9u, 0xBB67AE85u); // golden ratio, sqrt(3) - 1: the paper's Weyl sequence
    }
    return c;
}

// Words 4 quad .. 4 quad + 3 of image `image` (within the batch) in this step.
uvec4 random4(uint quad, uint image, uint stream) {
    return philox(uvec4(quad, now.image0 + image, now.step_index, stream), uvec2(now.seed_lo, now.seed_hi));
}

// Four numbers in [0, 1) from the upper 24 bits of four words: exact, whatever the driver's rounding.
vec4 uniform4(uvec4 w) {
    return vec4(w >> 8) * 5.96046448e-8; // 2^-24
}

// Two normals from two words: radius sqrt(-2 ln u), u in (0, 1]; angle 2 pi v, v in [0, 1). 24 bits of each word, so
// that the conversion to float is exact whatever the driver's rounding.
vec2 box_muller(uvec2 w) {
    float u = float((w.x >> 8) + 1) * 5.96046448e-8;
    float v = float(w.y >> 8) * 1.1920929e-7; // 2^-23: in half turns
    return sqrt(-2.0 * log_(u)) * sincospi_(v).yx;
}

vec4 normal4(uvec4 w) {
    return vec4(box_muller(w.xy), box_muller(w.zw));
}

#endif
