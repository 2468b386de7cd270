// SPDX-License-Identifier: MIT
// Add: the sum of two tensors; a residual, or a gradient that comes from two sides.
// Computes: y = a + b; y may be a or b
// Shapes:   y, a, b flat, count floats
// Push:     count
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32
// CPU:      kernels/ref/add.go Add
// Backward: none: both gradients are dy
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 1, std430) readonly buffer A { float a[]; };
layout(set = 0, binding = 2, std430) readonly buffer B { float b[]; };
layout(push_constant) uniform Push { uint count; };
layout(constant_id = 1) const uint ITEMS = 4;

void main() {
    uint block = group_index();
    for (uint e = block_first(block, ITEMS), end = block_end(block, ITEMS, count); e < end; e += gl_WorkGroupSize.x)
        y[e] = a[e] + b[e];
}
