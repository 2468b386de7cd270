// SPDX-License-Identifier: MIT
// HeunStep: the second half of Heun's step, after an Euler step has taken z from `start` to where that step ends.
// Computes: z = (start + z + dt v)/2, v of z, u and tau by flow.glsl; tau is where the step ends, dt how far it goes
// Shapes:   z, start, u flat, count floats; step buffer
// Push:     count, tauClamp
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 PREDICT what u is: 0 image, 1 noise, 2 velocity;
//           3 VEC: floats at a time, see vec.glsl
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32
// CPU:      kernels/ref/solver.go HeunStep
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 3
#include "common.glsl"
#include "vec.glsl"
#include "step.glsl"
#include "flow.glsl"

UPDATES(0, z)
READS(1, start)
READS(2, u)
layout(push_constant) uniform Push { uint count; float tau_clamp; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 3) const uint VEC = 4;

void main() {
    float scale = velocity_scale(now.tau, tau_clamp); // the same for all elements
    uint block = group_index();
    // With z = start + dt v1 this is start + dt (v1 + v2)/2: the mean of both slopes, and v1 need not be kept.
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x) {
        vec4 euler = LOAD(z, e);
        STORE(z, e, 0.5 * (LOAD(start, e) + euler + now.dt * velocity(euler, LOAD(u, e), scale)));
    }
}
