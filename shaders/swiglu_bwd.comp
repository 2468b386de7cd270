// SPDX-License-Identifier: MIT
// SwiGLU backward.
// Computes: with s = sigmoid(gate):  dvalue = dh gate s;  dgate = dh value s (1 + gate (1 - s))
// Shapes:   dab, ab (N, 2F), dh (N, F)
// Push:     rows = N, width = F, blocks = ceil(F / (LOCAL ITEMS)) a row
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 VALUE_FIRST; 3 VEC: floats at a time, see vec.glsl;
//           4 FORMAT of ab and dab: 0 fp32; 1 fp16, 2 bf16, then VEC is 4
// Dispatch: N blocks workgroups; one owns LOCAL ITEMS neighbours of one row
// Precision: fp32; dab rounded where it is in halves
// CPU:      kernels/ref/swiglu.go SwiGLUBackward
// Forward:  swiglu_fwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "math.glsl"
#include "precision.glsl"
#include "vec.glsl"

WRITES_AS(0, dab)
READS(1, dh)
READS_AS(2, ab)
layout(push_constant) uniform Push { uint rows, width, blocks; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool VALUE_FIRST = false;
layout(constant_id = 3) const uint VEC = 4;
layout(constant_id = 4) const uint FORMAT = 0;

void main() {
    uint row = group_index() / blocks, block = group_index() % blocks;
    if (row >= rows) return;
    uint gate = row * 2 * width + (VALUE_FIRST ? width : 0); // the row's first gate and value in ab
    uint value = row * 2 * width + (VALUE_FIRST ? 0 : width);
    for (uint f = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, width); f < end; f += VEC * gl_WorkGroupSize.x) {
        vec4 g = LOAD_AS(FORMAT, ab, gate + f), d = LOAD(dh, row * width + f), s = sigmoid4(g);
        STORE_AS(FORMAT, dab, value + f, d * g * s);
        STORE_AS(FORMAT, dab, gate + f, d * LOAD_AS(FORMAT, ab, value + f) * s * (1.0 + g * (1.0 - s)));
    }
}
