// SPDX-License-Identifier: MIT
// ConcatTime backward for the time embedding: sums its columns over an image's tokens.
// Computes: de[b,i] = (ACC ? de : 0) + sum over t of dy[b,t,C+i]
// Shapes:   de (B,E), dy (B,T,C+E)
// Push:     images = B, tokens = T, cols = C, extra = E, blocks = ceil(E / LOCAL) an image
// Spec:     0 LOCAL invocations; 1 ITEMS, unused; 2 ACC: add to what de holds
// Dispatch: images blocks workgroups; one invocation owns one (b,i)
// Precision: fp32, T terms in four running sums
// CPU:      kernels/ref/concattime.go ConcatTimeBackward
// Forward:  concattime_fwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = 0, std430) buffer DE { float de[]; };
layout(set = 0, binding = 1, std430) readonly buffer DY { float dy[]; };
layout(push_constant) uniform Push { uint images, tokens, cols, extra, blocks; };
layout(constant_id = 2) const bool ACC = false;

void main() {
    uint image = group_index() / blocks, i = block_first(group_index() % blocks, 1);
    if (image >= images || i >= extra) return;

    // Four running sums: four loads in flight, and a quarter of the loop's own cost.
    float s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0;
    uint ld = cols + extra, at = image * tokens * ld + cols + i, t = 0;
    for (; t + 4 <= tokens; t += 4, at += 4 * ld) {
        s0 += dy[at];
        s1 += dy[at + ld];
        s2 += dy[at + 2 * ld];
        s3 += dy[at + 3 * ld];
    }
    for (; t < tokens; t++, at += ld) s0 += dy[at];

    float total = (s0 + s1) + (s2 + s3);
    uint to = image * extra + i;
    de[to] = ACC ? de[to] + total : total;
}
