// SPDX-License-Identifier: MIT
// Unfold: cuts images into patches that may overlap; also the backward of Fold.
// Computes: tok[b, (py,px), (c,i,j)] = w[i] w[j] invNorm[y,x] img[b,c,y,x],  y = py STRIDE + i, x = px STRIDE + j
// Shapes:   img (B,3,ImgH,ImgW), tok (B, T, 3 PATCH^2), T = patches, row-major; window (PATCH); invNorm (ImgH,ImgW)
// Push:     images = B, blocks = ceil(T 3 PATCH^2 / (LOCAL ITEMS)) an image
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 PATCH; 3 STRIDE; 4 IMG_H; 5 IMG_W; 6 CHANNEL_LAST: element order
//           (i,j,c), else (c,i,j); 7 WINDOW, 8 NORM: whether window and invNorm are there, else they count as 1
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbours of one image's tokens
// Precision: exact without window and invNorm, else three fp32 products
// CPU:      kernels/ref/fold.go Unfold
// Backward: fold.comp, its adjoint
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Tok { float tok[]; };
layout(set = 0, binding = 1, std430) readonly buffer Img { float img[]; };
layout(set = 0, binding = 2, std430) readonly buffer Win { float window[]; };
layout(set = 0, binding = 3, std430) readonly buffer Inv { float inv_norm[]; };
layout(push_constant) uniform Push { uint images, blocks; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const uint PATCH = 4;
layout(constant_id = 3) const uint STRIDE = 4;
layout(constant_id = 4) const uint IMG_H = 32;
layout(constant_id = 5) const uint IMG_W = 32;
layout(constant_id = 6) const bool CHANNEL_LAST = false;
layout(constant_id = 7) const bool WINDOW = false;
layout(constant_id = 8) const bool NORM = false;

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return;
    const uint across = (IMG_W - PATCH) / STRIDE + 1, down = (IMG_H - PATCH) / STRIDE + 1; // patches
    const uint width = IMG_C * PATCH * PATCH, count = down * across * width;

    for (uint e = block_first(block, ITEMS), end = block_end(block, ITEMS, count); e < end; e += gl_WorkGroupSize.x) {
        // e names (token, element); the element names (c,i,j).
        uint t = e / width, k = e % width;
        uint c = CHANNEL_LAST ? k % IMG_C : k / (PATCH * PATCH);
        uint ij = CHANNEL_LAST ? k / IMG_C : k % (PATCH * PATCH);
        uint i = ij / PATCH, j = ij % PATCH;
        // t is row-major: the patch's corner, plus (i,j), is the pixel.
        uint y = t / across * STRIDE + i, x = t % across * STRIDE + j;

        float v = img[((image * IMG_C + c) * IMG_H + y) * IMG_W + x];
        // weights that are constants of the pipeline cost nothing where they are absent
        if (WINDOW) v *= window[i] * window[j];
        if (NORM) v *= inv_norm[y * IMG_W + x];
        tok[image * count + e] = v;
    }
}
