// SPDX-License-Identifier: MIT
// PrependTokens: tokens before an image's own: its class embedding at learned positions, or zeros (the gradient of
//           DropTokens).
// Computes: y[b,k] = (ACC ? y : 0) + (ZERO ? 0 : e[b] + pos[k]) for k < K;  y[b,K+t] = (ACC ? y : 0) + x[b,t]
// Shapes:   y (B,K+T,C), x (B,T,C), e (B,C), pos (K,C)
// Push:     rows = B (K+T), tokens = K+T, added = K, width = C, blocks = ceil(C / (LOCAL ITEMS)) a row
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 ZERO: e and pos are not read; 3 ACC: add to what y holds
// Dispatch: rows blocks workgroups; one owns LOCAL ITEMS neighbours of one token
// Precision: fp32
// CPU:      kernels/ref/prependtokens.go PrependTokens
// Backward: droptokens.comp (dx), sumtokens.comp (de), colsum.comp (dpos)
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = 0, std430) buffer Y { float y[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 2, std430) readonly buffer Emb { float e[]; };
layout(set = 0, binding = 3, std430) readonly buffer Pos { float pos[]; };
layout(push_constant) uniform Push { uint rows, tokens, added, width, blocks; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool ZERO = false;
layout(constant_id = 3) const bool ACC = false;

void main() {
    uint row = group_index() / blocks, block = group_index() % blocks;
    if (row >= rows) return;
    uint image = row / tokens, t = row % tokens;
    uint from = (image * (tokens - added) + t - added) * width; // of x's row, where t >= added
    for (uint c = block_first(block, ITEMS), end = block_end(block, ITEMS, width); c < end; c += gl_WorkGroupSize.x) {
        float v = 0.0;
        if (t >= added) v = x[from + c];
        else if (!ZERO) v = e[image * width + c] + pos[t * width + c];
        uint to = row * width + c;
        y[to] = ACC ? y[to] + v : v;
    }
}
