// SPDX-License-Identifier: MIT
// Normal: normal noise that depends on (seed, step, image, position, stream) and nothing else.
// Computes: x[i, 4q + c] = sigma component c of normal4(Philox(counter = (q, image0 + i, step, stream), key = seed))
// Shapes:   x (B, count); step buffer
// Push:     images = B, count (floats an image), blocks = ceil(ceil(count / 4) / (LOCAL ITEMS)) an image, first (number of
//           the dispatch's first image within the batch), stream, sigma (standard deviation)
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation, four floats each
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbouring quads of one image
// Precision: words exact; normals 1e-6
// CPU:      kernels/ref/philox.go Normal
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 1
#include "common.glsl"
#include "step.glsl"
#include "philox.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer X { float x[]; };
layout(push_constant) uniform Push { uint images, count, blocks, first, stream; float sigma; };
layout(constant_id = 1) const uint ITEMS = 4;

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return;
    uint quads = (count + 3) / 4, at = image * count;
    for (uint q = block_first(block, ITEMS), end = block_end(block, ITEMS, quads); q < end; q += gl_WorkGroupSize.x) {
        vec4 n = sigma * normal4(random4(q, first + image, stream));
        uint left = count - 4 * q; // floats of this image from this quad on
        x[at + 4 * q] = n.x;
        if (left > 1) x[at + 4 * q + 1] = n.y;
        if (left > 2) x[at + 4 * q + 2] = n.z;
        if (left > 3) x[at + 4 * q + 3] = n.w;
    }
}
