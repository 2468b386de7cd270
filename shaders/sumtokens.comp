// SPDX-License-Identifier: MIT
// Sums over an image's tokens: the gradient of what an image's tokens share, and the second pass of kernels that leave a
//           partial sum for each chunk of tokens.
// Computes: y[b,c] = (ACC ? y : 0) + sum over t of x[b,t,c]
// Shapes:   y (B,C), rows ldY floats apart; x (B,T,C), images ldB and tokens ldT floats apart, the first offX floats in
// Push:     images = B, tokens = T, width = C, ldY, offY, ldB, ldT, offX (floats), blocks = ceil(C / LOCAL) an image
// Spec:     0 LOCAL invocations; 1 ITEMS, unused; 2 ACC: add to what y holds
// Dispatch: images blocks workgroups; one invocation owns one (b,c)
// Precision: fp32, T terms in four running sums
// CPU:      kernels/ref/gate.go GateBackward (its dg)
// Backward: none; it is itself the backward of giving every token the same row
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = 0, std430) buffer Y { float y[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { float x[]; };
layout(push_constant) uniform Push { uint images, tokens, width, ldY, offY, ldB, ldT, offX, blocks; };
layout(constant_id = 2) const bool ACC = false;

void main() {
    uint image = group_index() / blocks, c = block_first(group_index() % blocks, 1);
    if (image >= images || c >= width) return;

    // Four running sums: four loads in flight, and a quarter of the loop's own cost.
    float s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0;
    uint at = offX + image * ldB + c, t = 0;
    for (; t + 4 <= tokens; t += 4, at += 4 * ldT) {
        s0 += x[at];
        s1 += x[at + ldT];
        s2 += x[at + 2 * ldT];
        s3 += x[at + 3 * ldT];
    }
    for (; t < tokens; t++, at += ldT) s0 += x[at];

    float total = (s0 + s1) + (s2 + s3);
    uint to = offY + image * ldY + c;
    y[to] = ACC ? y[to] + total : total;
}
