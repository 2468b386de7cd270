// SPDX-License-Identifier: MIT
// EulerStep: one step along the velocity that the network's prediction u implies.
// Computes: z = z + dt v, v of z, u and tau by flow.glsl; tau and dt from the step buffer
// Shapes:   z, u flat, count floats; step buffer
// Push:     count, tauClamp
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 PREDICT what u is: 0 image, 1 noise, 2 velocity
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32
// CPU:      kernels/ref/solver.go EulerStep
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 2
#include "common.glsl"
#include "step.glsl"
#include "flow.glsl"

layout(set = 0, binding = 0, std430) buffer Z { float z[]; };
layout(set = 0, binding = 1, std430) readonly buffer U { float u[]; };
layout(push_constant) uniform Push { uint count; float tau_clamp; };
layout(constant_id = 1) const uint ITEMS = 4;

void main() {
    float scale = velocity_scale(now.tau, tau_clamp); // the same for all elements
    uint block = group_index();
    for (uint e = block_first(block, ITEMS), end = block_end(block, ITEMS, count); e < end; e += gl_WorkGroupSize.x)
        z[e] += now.dt * velocity(z[e], u[e], scale);
}
