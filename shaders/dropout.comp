// SPDX-License-Identifier: MIT
// Dropout: zeros a random share of the floats and makes up for it in the others (Srivastava et al., JMLR 15, 2014).
// Computes: y[i,j] = (ACC ? y : 0) + (u >= prob ? x[i,j] / (1 - prob) : 0); y may be x without ACC
//           u = the upper 24 bits of word j%4 of Philox(counter = (j/4, image0 + i, step, stream), key = seed), over 2^24
// Shapes:   y, x (B, count); step buffer
// Push:     images = B, count (floats an image), blocks = ceil(ceil(count / 4) / (LOCAL ITEMS)) an image, first (number of
//           the dispatch's first image within the batch), stream, prob, scale = 1 / (1 - prob)
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation, four floats each; 2 ACC: add to what y holds
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbouring quads of one image
// Precision: the mask is exact; fp32
// CPU:      kernels/ref/dropout.go Dropout
// Backward: this shader on dy: it draws the same mask again, so that none is kept
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 2
#include "common.glsl"
#include "step.glsl"
#include "philox.glsl"

layout(set = 0, binding = 0, std430) buffer Y { float y[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { float x[]; };
layout(push_constant) uniform Push { uint images, count, blocks, first, stream; float prob, scale; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool ACC = false;

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return;
    uint quads = (count + 3) / 4, at = image * count; // at: the image's first float
    for (uint q = block_first(block, ITEMS), end = block_end(block, ITEMS, quads); q < end; q += gl_WorkGroupSize.x) {
        vec4 u = uniform4(random4(q, first + image, stream));
        uint left = min(count - 4 * q, 4); // floats of this quad
        for (uint k = 0; k < left; k++) {
            uint to = at + 4 * q + k;
            float v = u[k] >= prob ? x[to] * scale : 0.0;
            y[to] = ACC ? y[to] + v : v;
        }
    }
}
