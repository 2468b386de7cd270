// SPDX-License-Identifier: MIT
// SiLU backward.
// Computes: dx = (ACC ? dx : 0) + dy s (1 + x (1 - s)), s = sigmoid(x)
// Shapes:   dx, dy, x flat, count floats
// Push:     count
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 ACC: add to what dx holds; 3 VEC: floats at a time, see vec.glsl
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32
// CPU:      kernels/ref/silu.go SiLUBackward
// Forward:  silu_fwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "vec.glsl"
#include "math.glsl"

UPDATES(0, dx)
READS(1, dy)
READS(2, x)
layout(push_constant) uniform Push { uint count; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool ACC = false;
layout(constant_id = 3) const uint VEC = 4;

void main() {
    uint block = group_index();
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x) {
        vec4 v = LOAD(x, e), s = sigmoid4(v);
        vec4 g = LOAD(dy, e) * s * (1.0 + v * (1.0 - s));
        STORE(dx, e, ACC ? LOAD(dx, e) + g : g);
    }
}
