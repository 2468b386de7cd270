// SPDX-License-Identifier: MIT
// DropTokens: an image's tokens without the first few; also the gradient of PrependTokens for the image's own tokens.
// Computes: y[b,t] = (ACC ? y[b,t] : 0) + x[b,K+t]
// Shapes:   y (B,T,C), x (B,K+T,C)
// Push:     images = B, count = T C (floats kept of an image), dropped = K C (floats), blocks = ceil(count / (LOCAL ITEMS))
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 ACC: add to what y holds; 3 VEC: floats at a time, see vec.glsl
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbours of one image
// Precision: exact, or one fp32 addition
// CPU:      kernels/ref/prependtokens.go DropTokens
// Backward: prependtokens.comp with ZERO
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "vec.glsl"

UPDATES(0, y)
READS(1, x)
layout(push_constant) uniform Push { uint images, count, dropped, blocks; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool ACC = false;
layout(constant_id = 3) const uint VEC = 4;

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return;
    uint from = image * (dropped + count) + dropped, to = image * count; // the image's first floats
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x)
        STORE(y, to + e, ACC ? LOAD(y, to + e) + LOAD(x, from + e) : LOAD(x, from + e));
}
