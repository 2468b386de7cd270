// SPDX-License-Identifier: MIT
// ConcatTime backward for the tokens: cuts the time's columns off.
// Computes: dx[b,t] = (ACC ? dx : 0) + dy[b,t,:C]
// Shapes:   dx (B,T,C), dy (B,T,C+E)
// Push:     rows = B T, cols = C, extra = E, blocks = ceil(C / (LOCAL ITEMS)) a row
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 ACC: add to what dx holds
// Dispatch: rows blocks workgroups; one owns LOCAL ITEMS neighbours of one row
// Precision: exact, or one fp32 addition
// CPU:      kernels/ref/concattime.go ConcatTimeBackward
// Forward:  concattime_fwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = 0, std430) buffer DX { float dx[]; };
layout(set = 0, binding = 1, std430) readonly buffer DY { float dy[]; };
layout(push_constant) uniform Push { uint rows, cols, extra, blocks; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool ACC = false;

void main() {
    uint row = group_index() / blocks, block = group_index() % blocks;
    if (row >= rows) return;
    for (uint c = block_first(block, ITEMS), end = block_end(block, ITEMS, cols); c < end; c += gl_WorkGroupSize.x) {
        float g = dy[row * (cols + extra) + c];
        uint to = row * cols + c;
        dx[to] = ACC ? dx[to] + g : g;
    }
}
