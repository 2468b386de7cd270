// SPDX-License-Identifier: MIT
// SiLU backward.
// Computes: dx = (ACC ? dx : 0) + dy s (1 + x (1 - s)), s = sigmoid(x)
// Shapes:   dx, dy, x flat, count floats
// Push:     count
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 ACC: add to what dx holds
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32
// CPU:      kernels/ref/silu.go SiLUBackward
// Forward:  silu_fwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "math.glsl"

layout(set = 0, binding = 0, std430) buffer DX { float dx[]; };
layout(set = 0, binding = 1, std430) readonly buffer DY { float dy[]; };
layout(set = 0, binding = 2, std430) readonly buffer X { float x[]; };
layout(push_constant) uniform Push { uint count; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool ACC = false;

void main() {
    uint block = group_index();
    for (uint e = block_first(block, ITEMS), end = block_end(block, ITEMS, count); e < end; e += gl_WorkGroupSize.x) {
        float s = sigmoid_(x[e]);
        float g = dy[e] * s * (1.0 + x[e] * (1.0 - s));
        dx[e] = ACC ? dx[e] + g : g;
    }
}
