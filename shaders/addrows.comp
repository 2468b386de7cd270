// SPDX-License-Identifier: MIT
// AddRows: adds one table to every image: positions to tokens.
// Computes: y[b,t,c] = x[b,t,c] + table[t,c]; y may be x
// Shapes:   y, x (B, count = T C), table (count)
// Push:     images = B, count (floats an image), blocks = ceil(count / (LOCAL ITEMS)) an image
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbours of one image
// Precision: fp32
// CPU:      kernels/ref/addrows.go AddRows
// Backward: none: dx is dy, and the table is fixed
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 2, std430) readonly buffer Table { float table[]; };
layout(push_constant) uniform Push { uint images, count, blocks; };
layout(constant_id = 1) const uint ITEMS = 4;

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return;
    uint at = image * count; // the image's first float
    for (uint e = block_first(block, ITEMS), end = block_end(block, ITEMS, count); e < end; e += gl_WorkGroupSize.x)
        y[at + e] = x[at + e] + table[e];
}
