// SPDX-License-Identifier: MIT
// EulerStep: one step along the velocity that the network's prediction u implies.
// Computes: z = z + dt v, v of z, u and tau by flow.glsl; tau and dt from the step buffer
// Shapes:   z, u flat, count floats; step buffer
// Push:     count, tauClamp
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 PREDICT what u is: 0 image, 1 noise, 2 velocity;
//           3 VEC: floats at a time, see vec.glsl
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32
// CPU:      kernels/ref/solver.go EulerStep
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 2
#include "common.glsl"
#include "vec.glsl"
#include "step.glsl"
#include "flow.glsl"

UPDATES(0, z)
READS(1, u)
layout(push_constant) uniform Push { uint count; float tau_clamp; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 3) const uint VEC = 4;

void main() {
    float scale = velocity_scale(now.tau, tau_clamp); // the same for all elements
    uint block = group_index();
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x) {
        vec4 from = LOAD(z, e);
        STORE(z, e, from + now.dt * velocity(from, LOAD(u, e), scale));
    }
}
