// SPDX-License-Identifier: MIT
// EulerStep: one step along the velocity that a predicted image implies.
// Computes: z = z + dt (pred - z) / max(1 - tau, tauClamp), tau and dt from the step buffer
// Shapes:   z, pred flat, count floats; step buffer
// Push:     count, tauClamp
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32
// CPU:      kernels/ref/flow.go EulerStep
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 2
#include "common.glsl"
#include "step.glsl"

layout(set = 0, binding = 0, std430) buffer Z { float z[]; };
layout(set = 0, binding = 1, std430) readonly buffer Pred { float pred[]; };
layout(push_constant) uniform Push { uint count; float tau_clamp; };
layout(constant_id = 1) const uint ITEMS = 4;

void main() {
    float rate = now.dt / max(1.0 - now.tau, tau_clamp);
    uint block = group_index();
    for (uint e = block_first(block, ITEMS), end = block_end(block, ITEMS, count); e < end; e += gl_WorkGroupSize.x)
        z[e] += rate * (pred[e] - z[e]);
}
