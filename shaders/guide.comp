// SPDX-License-Identifier: MIT
// Guide: classifier-free guidance (Ho and Salimans, arXiv 2207.12598), on what the network predicts.
// Computes: u = (1 - w) none + w u, w = guidance from the step buffer
// Shapes:   u (prediction for a class, replaced), none (without one) flat, count floats; step buffer
// Push:     count
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 VEC: floats at a time, see vec.glsl
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32; exactly u at w = 1 and exactly none at w = 0
// CPU:      kernels/ref/guide.go Guide
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 2
#include "common.glsl"
#include "vec.glsl"
#include "step.glsl"

UPDATES(0, u)
READS(1, none)
layout(push_constant) uniform Push { uint count; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const uint VEC = 4;

void main() {
    uint block = group_index();
    // The flow's velocity is a(tau) z + b(tau) u, and the weights add up to 1: guiding u guides the velocity alike.
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x)
        STORE(u, e, (1.0 - now.guidance) * LOAD(none, e) + now.guidance * LOAD(u, e));
}
