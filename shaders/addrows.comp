// SPDX-License-Identifier: MIT
// AddRows: adds one table to every image: positions to tokens.
// Computes: y[b,t,c] = x[b,t,c] + table[t,c]; y may be x
// Shapes:   y, x (B, count = T C), table (count)
// Push:     images = B, count (floats an image), blocks = ceil(count / (LOCAL ITEMS)) an image
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 VEC: floats at a time, see vec.glsl
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbours of one image
// Precision: fp32
// CPU:      kernels/ref/addrows.go AddRows
// Backward: none: dx is dy, and the table is fixed
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "vec.glsl"

WRITES(0, y)
READS(1, x)
READS(2, table)
layout(push_constant) uniform Push { uint images, count, blocks; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const uint VEC = 4;

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return;
    uint at = image * count; // the image's first float
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x)
        STORE(y, at + e, LOAD(x, at + e) + LOAD(table, e));
}
