// SPDX-License-Identifier: MIT
//
// Purpose: what a network's output is compared with, and what an error of it weighs, for the nine losses of JiT (arXiv
//   2511.13720, Table 1): the network predicts one of x, e and v = x - e, the squared error is taken in one of them.
// Use: declare x and noise (vec.glsl), PREDICT and LOSS (kernels.Kind) and tau_clamp, noise_scale (push constants) first.
// Computes: the output u is turned into the loss' quantity by an affine map whose slope a depends on tau alone, so that the
//   squared error of that quantity is a^2 (u - target)^2, where the target's denominator is clamped as the output's is.

#ifndef FLOWLOSS_GLSL
#define FLOWLOSS_GLSL

const uint KIND_X = 0, KIND_EPS = 1, KIND_V = 2;

// What the network should have said for the floats from i on. e is the noise with its scale.
vec4 target(uint i) {
    if (PREDICT == KIND_X) return LOAD(x, i);
    vec4 e = noise_scale * LOAD(noise, i);
    return PREDICT == KIND_EPS ? e : LOAD(x, i) - e;
}

// The slope a as (numerator, denominator): an error of 1 in the output is an error of a in the loss' quantity.
vec2 slope(float t) {
    if (PREDICT == LOSS) return vec2(1.0);
    if (PREDICT == KIND_X) return vec2(LOSS == KIND_V ? 1.0 : t, max(1.0 - t, tau_clamp)); // v = (x - z)/(1 - t), e = (z - t x)/(1 - t)
    if (PREDICT == KIND_EPS) return vec2(LOSS == KIND_V ? 1.0 : 1.0 - t, max(t, tau_clamp)); // v = (z - e)/t, x = (z - (1 - t) e)/t
    return vec2(LOSS == KIND_X ? 1.0 - t : t, 1.0);                                          // x = z + (1 - t) v, e = z - t v
}

#endif
