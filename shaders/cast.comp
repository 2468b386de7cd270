// SPDX-License-Identifier: MIT
// Floats to halves: weights before a step's products, and what a kernel cannot store in halves itself. Or halves to floats.
// Computes: y[r,c] = x[r,c], rounded to nearest, ties to even, where y is in halves
// Shapes:   x, y (rows, cols), rows ldX, ldY elements apart; all of it in multiples of four
// Push:     count = rows cols / 4 and cols / 4 (fours); ldX, offX, ldY, offY (elements)
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2, 3 FORMAT of y, of x: 0 fp32, 1 fp16, 2 bf16
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups, over x and y; an item is four elements, since halves share words
// Precision: fp32 to fp16 or bf16, and back
// CPU:      kernels/ref/cast.go Cast
// Backward: none: a tape hands on the gradient of what was cast
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "precision.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Y { vec4 y[]; };
layout(set = 0, binding = 0, std430) writeonly buffer YHalves { uvec2 y_halves[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 1, std430) readonly buffer XHalves { uvec2 x_halves[]; };
layout(push_constant) uniform Push { uint count, quads, ldX, offX, ldY, offY; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const uint FORMAT_Y = 1;
layout(constant_id = 3) const uint FORMAT_X = 0;

void main() {
    // e counts fours, which lie aligned in both arrays
    for (uint e = block_first(group_index(), ITEMS), end = block_end(group_index(), ITEMS, count); e < end; e += gl_WorkGroupSize.x) {
        uint row = e / quads, at = e % quads, from = (offX + row * ldX) / 4 + at, to = (offY + row * ldY) / 4 + at;
        vec4 v = FORMAT_X == 0 ? x[from] : unpack_halves(FORMAT_X, x_halves[from]);
        if (FORMAT_Y == 0) y[to] = v;
        else y_halves[to] = pack_halves(FORMAT_Y, v);
    }
}
