// SPDX-License-Identifier: MIT
// Guide: classifier-free guidance (Ho and Salimans, arXiv 2207.12598), on what the network predicts.
// Computes: u = (1 - w) none + w u, w = guidance from the step buffer
// Shapes:   u (prediction for a class, replaced), none (without one) flat, count floats; step buffer
// Push:     count
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32; exactly u at w = 1 and exactly none at w = 0
// CPU:      kernels/ref/guide.go Guide
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 2
#include "common.glsl"
#include "step.glsl"

layout(set = 0, binding = 0, std430) buffer U { float u[]; };
layout(set = 0, binding = 1, std430) readonly buffer None { float none[]; };
layout(push_constant) uniform Push { uint count; };
layout(constant_id = 1) const uint ITEMS = 4;

void main() {
    uint block = group_index();
    // The flow's velocity is a(tau) z + b(tau) u, and the weights add up to 1: guiding u guides the velocity alike.
    for (uint e = block_first(block, ITEMS), end = block_end(block, ITEMS, count); e < end; e += gl_WorkGroupSize.x)
        u[e] = (1.0 - now.guidance) * none[e] + now.guidance * u[e];
}
