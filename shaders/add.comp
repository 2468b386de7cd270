// SPDX-License-Identifier: MIT
// Add: the sum of two tensors; a residual, or a gradient that comes from two sides.
// Computes: y = a + b; y may be a or b
// Shapes:   y, a, b flat, count floats
// Push:     count
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 VEC: floats at a time, see vec.glsl
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32
// CPU:      kernels/ref/add.go Add
// Backward: none: both gradients are dy
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "vec.glsl"

WRITES(0, y)
READS(1, a)
READS(2, b)
layout(push_constant) uniform Push { uint count; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const uint VEC = 4;

void main() {
    uint block = group_index();
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x)
        STORE(y, e, LOAD(a, e) + LOAD(b, e));
}
