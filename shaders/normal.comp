// SPDX-License-Identifier: MIT
// Normal: normal noise that depends on (seed, step, image, position, stream) and nothing else.
// Computes: x[i, 4q + c] = sigma component c of normal4(Philox(counter = (q, image0 + i, step, stream), key = seed))
// Shapes:   x (B, count); step buffer
// Push:     images = B, count (floats an image), blocks = ceil(count / (LOCAL ITEMS)) an image, first (number of
//           the dispatch's first image within the batch), stream, sigma (standard deviation)
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 VEC: floats at a time, see vec.glsl
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbours of one image
// Precision: words exact; normals 1e-6
// CPU:      kernels/ref/philox.go Normal
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 1
#include "common.glsl"
#include "vec.glsl"
#include "step.glsl"
#include "philox.glsl"

WRITES(0, x)
layout(push_constant) uniform Push { uint images, count, blocks, first, stream; float sigma; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const uint VEC = 4;

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return;
    uint at = image * count; // the image's first float
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x) {
        vec4 n = sigma * normal4(random4(e / 4, first + image, stream));
        if (VEC == 1) n.x = n[e % 4]; // this float's own of the four
        STORE(x, at + e, n);
    }
}
