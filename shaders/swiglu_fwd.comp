// SPDX-License-Identifier: MIT
// SwiGLU forward: one half of a row gates the other (Shazeer, arXiv 2002.05202).
// Computes: h[n,f] = silu(gate) * value, where (gate, value) = (ab[n,f], ab[n,F+f]), or the other way round if VALUE_FIRST
// Shapes:   ab (N, 2F), h (N, F)
// Push:     rows = N, width = F, blocks = ceil(F / (LOCAL ITEMS)) a row
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 VALUE_FIRST; 3 VEC: floats at a time, see vec.glsl;
//           4, 5 FORMAT of h, of ab: 0 fp32; 1 fp16, 2 bf16, then VEC is 4
// Dispatch: N blocks workgroups; one owns LOCAL ITEMS neighbours of one row, so that no element needs a division
// Precision: fp32; h rounded where it is in halves
// CPU:      kernels/ref/swiglu.go SwiGLU
// Backward: swiglu_bwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "math.glsl"
#include "precision.glsl"
#include "vec.glsl"

WRITES_AS(0, h)
READS_AS(1, ab)
layout(push_constant) uniform Push { uint rows, width, blocks; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool VALUE_FIRST = false;
layout(constant_id = 3) const uint VEC = 4;
layout(constant_id = 4) const uint FORMAT_H = 0;
layout(constant_id = 5) const uint FORMAT_AB = 0;

void main() {
    uint row = group_index() / blocks, block = group_index() % blocks;
    if (row >= rows) return;
    uint gate = row * 2 * width + (VALUE_FIRST ? width : 0); // the row's first gate and value in ab
    uint value = row * 2 * width + (VALUE_FIRST ? 0 : width);
    for (uint f = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, width); f < end; f += VEC * gl_WorkGroupSize.x) {
        vec4 g = LOAD_AS(FORMAT_AB, ab, gate + f);
        STORE_AS(FORMAT_H, h, row * width + f, g * sigmoid4(g) * LOAD_AS(FORMAT_AB, ab, value + f));
    }
}
