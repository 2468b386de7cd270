// SPDX-License-Identifier: MIT
// AdamW: one optimizer step (Loshchilov and Hutter, arXiv 1711.05101; the order of operations is PyTorch's).
// Computes: g' = g / loss_scale * min(1, clip / (norm / loss_scale + 1e-6))
//           m = beta1 m + (1 - beta1) g';  v = beta2 v + (1 - beta2) g'^2
//           w = w (1 - lr decay) - lr (m / bias1) / (sqrt(v / bias2) + eps)
//           Nothing changes where the norm is infinite or NaN: some gradient overflowed, and one NaN would stay for good.
//           BEFORE: bias1, bias2 are skip_bias1, skip_bias2 where the norm of the step before was infinite or NaN
// Shapes:   w, g, m, v flat, count floats; norm (1): L2 norm of the whole gradient, loss_scale included; step buffer;
//           before (1), read only if BEFORE: norm, a step ago
// Push:     count, beta1, beta2, eps, decay, clip (0: off)
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 BEFORE; 3 VEC: floats at a time, see vec.glsl
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32
// CPU:      kernels/ref/adamw.go AdamW
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 5
#include "common.glsl"
#include "vec.glsl"
#include "step.glsl"

UPDATES(0, w)
UPDATES(1, m)
UPDATES(2, v)
READS(3, g)
layout(set = 0, binding = 4, std430) readonly buffer Norm { float norm[]; };
layout(set = 0, binding = 6, std430) readonly buffer Before { float before[]; };
layout(push_constant) uniform Push { uint count; float beta1, beta2, eps, decay, clip; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool BEFORE = false;
layout(constant_id = 3) const uint VEC = 4;

// Infinite or NaN, by the exponent's bits: a compiler may take isnan for never true.
bool overflowed(float x) { return (floatBitsToUint(x) & 0x7f800000u) == 0x7f800000u; }

void main() {
    if (overflowed(norm[0])) return;
    float scale = 1.0 / now.loss_scale;
    if (clip > 0.0) scale *= min(1.0, clip / (norm[0] * scale + 1e-6));
    vec2 bias = vec2(now.bias1, now.bias2);
    if (BEFORE) {
        if (overflowed(before[0])) bias = vec2(now.skip_bias1, now.skip_bias2);
    }
    // What is the same for all elements: a division each that the loop is spared.
    float keep = 1.0 - now.lr * decay, rate = now.lr / bias.x, root2 = inversesqrt(bias.y);

    uint block = group_index();
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x) {
        vec4 d = LOAD(g, e) * scale; // in units of the loss, clipped
        vec4 m1 = beta1 * LOAD(m, e) + (1.0 - beta1) * d;
        vec4 v1 = beta2 * LOAD(v, e) + (1.0 - beta2) * d * d;
        STORE(m, e, m1);
        STORE(v, e, v1);
        // sqrt(v1 / bias.y) as sqrt(v1) root2: one root for all elements, and no division
        STORE(w, e, keep * LOAD(w, e) - rate * m1 / (sqrt(v1) * root2 + eps));
    }
}
