// SPDX-License-Identifier: MIT
// Sums over an image's tokens: the gradient of what an image's tokens share, and the second pass of kernels that leave a
//           partial sum for each chunk of tokens.
// Computes: y[b,c] = (ACC ? y : 0) + sum over t of x[b,t,c]
// Shapes:   y (B,C), rows ldY floats apart; x (B,T,C), images ldB and tokens ldT floats apart, the first offX floats in
// Push:     images = B, tokens = T, width = C, ldY, offY, ldB, ldT, offX (floats), blocks = ceil(C / (LOCAL VEC)) an
//           image
// Spec:     0 LOCAL invocations; 1 ITEMS, unused; 2 ACC: add to what y holds; 3 VEC: floats at a time, see vec.glsl
// Dispatch: images blocks workgroups; one invocation owns VEC channels of one image
// Precision: fp32, T terms in four running sums
// CPU:      kernels/ref/gate.go GateBackward (its dg)
// Backward: none; it is itself the backward of giving every token the same row
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "vec.glsl"

UPDATES(0, y)
READS(1, x)
layout(push_constant) uniform Push { uint images, tokens, width, ldY, offY, ldB, ldT, offX, blocks; };
layout(constant_id = 2) const bool ACC = false;
layout(constant_id = 3) const uint VEC = 4;

void main() {
    uint image = group_index() / blocks, c = block_first(group_index() % blocks, VEC, VEC);
    if (image >= images || c >= width) return;

    // Four running sums: four loads in flight, and a quarter of the loop's own cost.
    vec4 s0 = vec4(0), s1 = vec4(0), s2 = vec4(0), s3 = vec4(0);
    uint at = offX + image * ldB + c, t = 0;
    for (; t + 4 <= tokens; t += 4, at += 4 * ldT) {
        s0 += LOAD(x, at);
        s1 += LOAD(x, at + ldT);
        s2 += LOAD(x, at + 2 * ldT);
        s3 += LOAD(x, at + 3 * ldT);
    }
    for (; t < tokens; t++, at += ldT) s0 += LOAD(x, at);

    vec4 total = (s0 + s1) + (s2 + s3);
    uint to = offY + image * ldY + c;
    STORE(y, to, ACC ? LOAD(y, to) + total : total);
}
