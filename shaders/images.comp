// SPDX-License-Identifier: MIT
// Images: bytes of pictures to floats, each picture mirrored or not by a coin of its own.
// Computes: x[i,c,y,x] = bytes[i, y, flip ? W-1-x : x, c] * 2/255 - 1
//           flip = FLIP and the lowest bit of Philox(counter = (0, image0 + i, step, stream), key = seed)
// Shapes:   bytes (B,ImgH,ImgW,3) uint8, four to a word, lowest byte first; x (B,3,ImgH,ImgW); step buffer
// Push:     images = B, imgH, imgW, blocks = ceil(ImgH ImgW / (LOCAL ITEMS)) an image, first (number of the dispatch's first
//           image within the batch), stream
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 FLIP
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbouring pixels of one image
// Precision: 1 ulp
// CPU:      kernels/ref/images.go Images
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 2
#include "common.glsl"
#include "step.glsl"
#include "philox.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer X { float x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Bytes { uint words[]; };
layout(push_constant) uniform Push { uint images, imgH, imgW, blocks, first, stream; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool FLIP = false;

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return;
    bool flip = FLIP && (random4(0, first + image, stream).x & 1) != 0;
    uint pixels = imgH * imgW;
    for (uint p = block_first(block, ITEMS), end = block_end(block, ITEMS, pixels); p < end; p += gl_WorkGroupSize.x) {
        uint col = p % imgW;
        uint from = flip ? p - col + (imgW - 1 - col) : p; // the pixel that lands at p
        uint at = (image * pixels + from) * IMG_C;         // its first byte
        for (uint c = 0; c < IMG_C; c++, at++) {
            uint value = words[at >> 2] >> (8 * (at & 3)) & 0xFF;
            x[(image * IMG_C + c) * pixels + p] = float(value) * (2.0 / 255.0) - 1.0;
        }
    }
}
