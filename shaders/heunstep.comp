// SPDX-License-Identifier: MIT
// HeunStep: the second half of Heun's step, after an Euler step has taken z from `start` to where that step ends.
// Computes: z = (start + z + dt v)/2, v of z, u and tau by flow.glsl; tau is where the step ends, dt how far it goes
// Shapes:   z, start, u flat, count floats; step buffer
// Push:     count, tauClamp
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 PREDICT what u is: 0 image, 1 noise, 2 velocity
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32
// CPU:      kernels/ref/solver.go HeunStep
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 3
#include "common.glsl"
#include "step.glsl"
#include "flow.glsl"

layout(set = 0, binding = 0, std430) buffer Z { float z[]; };
layout(set = 0, binding = 1, std430) readonly buffer Start { float start[]; };
layout(set = 0, binding = 2, std430) readonly buffer U { float u[]; };
layout(push_constant) uniform Push { uint count; float tau_clamp; };
layout(constant_id = 1) const uint ITEMS = 4;

void main() {
    float scale = velocity_scale(now.tau, tau_clamp); // the same for all elements
    uint block = group_index();
    // With z = start + dt v1 this is start + dt (v1 + v2)/2: the mean of both slopes, and v1 need not be kept.
    for (uint e = block_first(block, ITEMS), end = block_end(block, ITEMS, count); e < end; e += gl_WorkGroupSize.x)
        z[e] = 0.5 * (start[e] + z[e] + now.dt * velocity(z[e], u[e], scale));
}
