// SPDX-License-Identifier: MIT
//
// Purpose: the velocity of the flow, and the image it leads to, from what a network predicts.
// Use: #include "flow.glsl" where constant_id 2 is free. A kernel computes the scale once and takes z and u element by element.
// Computes: with z = tau x + (1 - tau) e and v = dz/dtau = x - e, u being one of x, e, v (PREDICT 0, 1, 2):
//   velocity  x: (u - z)/max(1 - tau, clamp)    e: (z - u)/max(tau, clamp)                v: u
//   image     x: u                              e: (z - (1 - tau) u)/max(tau, clamp)      v: z + (1 - tau) u
//   (JiT, arXiv 2511.13720, table 1; the clamp keeps the quotient finite at the ends of the flow.)

#ifndef FLOW_GLSL
#define FLOW_GLSL

layout(constant_id = 2) const uint PREDICT = 0; // kernels.Kind
const uint X = 0, EPS = 1;

// What velocity is multiplied by.
float velocity_scale(float tau, float tau_clamp) {
    return PREDICT == X ? 1.0 / max(1.0 - tau, tau_clamp) : PREDICT == EPS ? 1.0 / max(tau, tau_clamp) : 1.0;
}

vec4 velocity(vec4 z, vec4 u, float scale) {
    return PREDICT == X ? scale * (u - z) : PREDICT == EPS ? scale * (z - u) : u;
}

// What image is multiplied by.
float image_scale(float tau, float tau_clamp) {
    return PREDICT == EPS ? 1.0 / max(tau, tau_clamp) : 1.0;
}

vec4 image(vec4 z, vec4 u, float tau, float scale) {
    return PREDICT == X ? u : PREDICT == EPS ? scale * (z - (1.0 - tau) * u) : z + (1.0 - tau) * u;
}

#endif
