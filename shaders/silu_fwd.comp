// SPDX-License-Identifier: MIT
// SiLU forward: a number times its own sigmoid.
// Computes: y = x / (1 + e^-x)
// Shapes:   x, y flat, count floats
// Push:     count
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32
// CPU:      kernels/ref/silu.go SiLU
// Backward: silu_bwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "math.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { float x[]; };
layout(push_constant) uniform Push { uint count; };
layout(constant_id = 1) const uint ITEMS = 4;

void main() {
    uint block = group_index();
    for (uint e = block_first(block, ITEMS), end = block_end(block, ITEMS, count); e < end; e += gl_WorkGroupSize.x)
        y[e] = x[e] * sigmoid_(x[e]);
}
