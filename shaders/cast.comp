// SPDX-License-Identifier: MIT
// Floats to halves: weights before a step's products, and what a kernel cannot store in halves itself.
// Computes: y[e] = x[e] rounded to 16 bits, to nearest, ties to even
// Shapes:   x (count fours of floats), y (count fours of halves)
// Push:     count (fours)
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 FORMAT: 1 fp16, 2 bf16
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups, over x and y; an item is four elements, since halves share words
// Precision: fp32 to fp16 or bf16
// CPU:      kernels/ref/cast.go Cast
// Backward: none: a tape hands on the gradient of what was cast
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "precision.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Y { uvec2 y[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { vec4 x[]; };
layout(push_constant) uniform Push { uint count; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const uint FORMAT = 1;

void main() {
    // e counts fours, which lie aligned in both arrays
    for (uint e = block_first(group_index(), ITEMS), end = block_end(group_index(), ITEMS, count); e < end; e += gl_WorkGroupSize.x)
        y[e] = pack_halves(FORMAT, x[e]);
}
