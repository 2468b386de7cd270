// SPDX-License-Identifier: MIT
// Fold: puts patches that may overlap back into images; also the backward of Unfold.
// Computes: img[b,c,y,x] = invNorm[y,x] * sum over the patches (py,px) that cover (y,x) of
//           w[i] w[j] tok[b, (py,px), (c,i,j)],  i = y - py STRIDE, j = x - px STRIDE
// Shapes:   tok (B, T, 3 PATCH^2), T = patches, row-major; img (B,3,ImgH,ImgW); window (PATCH); invNorm (ImgH,ImgW)
// Push:     images = B, blocks = ceil(3 ImgH ImgW / (LOCAL ITEMS)) an image
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 PATCH; 3 STRIDE; 4 IMG_H; 5 IMG_W; 6 CHANNEL_LAST: element order
//           (i,j,c), else (c,i,j); 7 WINDOW, 8 NORM: whether window and invNorm are there, else they count as 1
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbours of one image; each pixel gathers what it needs
// Precision: fp32, at most ceil(PATCH/STRIDE)^2 terms, rows then columns
// CPU:      kernels/ref/fold.go Fold
// Backward: unfold.comp, its adjoint
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Img { float img[]; };
layout(set = 0, binding = 1, std430) readonly buffer Tok { float tok[]; };
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

// First patch along one axis that covers position at; at / STRIDE, cut at the last patch, is the last one.
uint first_patch(uint at) {
    return at < PATCH ? 0 : (at - PATCH) / STRIDE + 1;
}

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return;
    const uint across = (IMG_W - PATCH) / STRIDE + 1, down = (IMG_H - PATCH) / STRIDE + 1; // patches
    const uint width = IMG_C * PATCH * PATCH, count = IMG_C * IMG_H * IMG_W;

    for (uint e = block_first(block, ITEMS), end = block_end(block, ITEMS, count); e < end; e += gl_WorkGroupSize.x) {
        // e names (c,y,x); what can cover it are patches first_patch to last, in both directions.
        uint c = e / (IMG_H * IMG_W), yx = e % (IMG_H * IMG_W);
        uint y = yx / IMG_W, x = yx % IMG_W;
        uint last_y = min(y / STRIDE, down - 1), last_x = min(x / STRIDE, across - 1);

        float sum = 0.0;
        for (uint py = first_patch(y); py <= last_y; py++) {
            for (uint px = first_patch(x); px <= last_x; px++) {
                // (i,j) is the pixel's place in this patch, k its element of the token.
                uint i = y - py * STRIDE, j = x - px * STRIDE, ij = i * PATCH + j;
                uint k = CHANNEL_LAST ? ij * IMG_C + c : c * PATCH * PATCH + ij;
                float v = tok[((image * down + py) * across + px) * width + k];
                sum += WINDOW ? v * (window[i] * window[j]) : v;
            }
        }
        img[image * count + e] = NORM ? sum * inv_norm[yx] : sum;
    }
}
