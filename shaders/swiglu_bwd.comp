// SPDX-License-Identifier: MIT
// SwiGLU backward.
// Computes: with s = sigmoid(gate):  dvalue = dh gate s;  dgate = dh value s (1 + gate (1 - s))
// Shapes:   dab, ab (N, 2F), dh (N, F)
// Push:     rows = N, width = F, blocks = ceil(F / (LOCAL ITEMS)) a row
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 VALUE_FIRST
// Dispatch: N blocks workgroups; one owns LOCAL ITEMS neighbours of one row
// Precision: fp32
// CPU:      kernels/ref/swiglu.go SwiGLUBackward
// Forward:  swiglu_fwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "math.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer DAB { float dab[]; };
layout(set = 0, binding = 1, std430) readonly buffer DH { float dh[]; };
layout(set = 0, binding = 2, std430) readonly buffer AB { float ab[]; };
layout(push_constant) uniform Push { uint rows, width, blocks; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool VALUE_FIRST = false;

void main() {
    uint row = group_index() / blocks, block = group_index() % blocks;
    if (row >= rows) return;
    uint gate = row * 2 * width + (VALUE_FIRST ? width : 0); // the row's first gate and value in ab
    uint value = row * 2 * width + (VALUE_FIRST ? 0 : width);
    for (uint f = block_first(block, ITEMS), end = block_end(block, ITEMS, width); f < end; f += gl_WorkGroupSize.x) {
        float g = ab[gate + f], d = dh[row * width + f];
        float s = sigmoid_(g);
        dab[value + f] = d * g * s;
        dab[gate + f] = d * ab[value + f] * s * (1.0 + g * (1.0 - s));
    }
}
