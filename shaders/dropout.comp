// SPDX-License-Identifier: MIT
// Dropout: zeros a random share of the floats and makes up for it in the others (Srivastava et al., JMLR 15, 2014).
// Computes: y[i,j] = (ACC ? y : 0) + (u >= prob ? x[i,j] / (1 - prob) : 0); y may be x without ACC
//           u = the upper 24 bits of word j%4 of Philox(counter = (j/4, image0 + i, step, stream), key = seed), over 2^24
// Shapes:   y, x (B, count); step buffer
// Push:     images = B, count (floats an image), blocks = ceil(count / (LOCAL ITEMS)) an image, first (number of
//           the dispatch's first image within the batch), stream, prob, scale = 1 / (1 - prob)
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 ACC: add to what y holds; 3 VEC: floats at a time, see vec.glsl
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbours of one image
// Precision: the mask is exact; fp32
// CPU:      kernels/ref/dropout.go Dropout
// Backward: this shader on dy: it draws the same mask again, so that none is kept
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 2
#include "common.glsl"
#include "vec.glsl"
#include "step.glsl"
#include "philox.glsl"

UPDATES(0, y)
READS(1, x)
layout(push_constant) uniform Push { uint images, count, blocks, first, stream; float prob, scale; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool ACC = false;
layout(constant_id = 3) const uint VEC = 4;

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return;
    uint at = image * count; // the image's first float
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x) {
        vec4 u = uniform4(random4(e / 4, first + image, stream));
        if (VEC == 1) u.x = u[e % 4]; // this float's own of the four
        vec4 v = mix(vec4(0), LOAD(x, at + e) * scale, greaterThanEqual(u, vec4(prob)));
        STORE(y, at + e, ACC ? LOAD(y, at + e) + v : v);
    }
}
