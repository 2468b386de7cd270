// SPDX-License-Identifier: MIT
// SiLU forward: a number times its own sigmoid.
// Computes: y = x / (1 + e^-x)
// Shapes:   x, y flat, count floats
// Push:     count
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 VEC: floats at a time, see vec.glsl
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32
// CPU:      kernels/ref/silu.go SiLU
// Backward: silu_bwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "vec.glsl"
#include "math.glsl"

WRITES(0, y)
READS(1, x)
layout(push_constant) uniform Push { uint count; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const uint VEC = 4;

void main() {
    uint block = group_index();
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x) {
        vec4 v = LOAD(x, e);
        STORE(y, e, v * sigmoid4(v));
    }
}
