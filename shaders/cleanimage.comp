// SPDX-License-Identifier: MIT
// CleanImage: the image that the network's prediction u implies.
// Computes: x of z, u and tau by flow.glsl; tau from the step buffer
// Shapes:   x, z, u flat, count floats; step buffer
// Push:     count, tauClamp
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 PREDICT what u is: 0 image, 1 noise, 2 velocity;
//           3 VEC: floats at a time, see vec.glsl
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32
// CPU:      kernels/ref/solver.go CleanImage
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 3
#include "common.glsl"
#include "vec.glsl"
#include "step.glsl"
#include "flow.glsl"

WRITES(0, x)
READS(1, z)
READS(2, u)
layout(push_constant) uniform Push { uint count; float tau_clamp; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 3) const uint VEC = 4;

void main() {
    float scale = image_scale(now.tau, tau_clamp); // the same for all elements
    uint block = group_index();
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x)
        STORE(x, e, image(LOAD(z, e), LOAD(u, e), now.tau, scale));
}
