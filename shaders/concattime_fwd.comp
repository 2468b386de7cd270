// SPDX-License-Identifier: MIT
// ConcatTime forward: appends an image's time embedding to each of its tokens.
// Computes: y[b,t] = [x[b,t] | e[b]]
// Shapes:   x (B,T,C), e (B,E), y (B,T,C+E)
// Push:     rows = B T, tokens = T, cols = C, extra = E, blocks = ceil((C+E) / (LOCAL ITEMS)) a row
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation
// Dispatch: rows blocks workgroups; one owns LOCAL ITEMS neighbours of one row
// Precision: exact
// CPU:      kernels/ref/concattime.go ConcatTime
// Backward: concattime_bwd.comp (dx), sumtokens.comp (de)
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 2, std430) readonly buffer Emb { float e[]; };
layout(push_constant) uniform Push { uint rows, tokens, cols, extra, blocks; };
layout(constant_id = 1) const uint ITEMS = 4;

void main() {
    uint row = group_index() / blocks, block = group_index() % blocks;
    if (row >= rows) return;
    uint width = cols + extra, image = row / tokens;
    for (uint c = block_first(block, ITEMS), end = block_end(block, ITEMS, width); c < end; c += gl_WorkGroupSize.x)
        y[row * width + c] = c < cols ? x[row * cols + c] : e[image * extra + c - cols];
}
