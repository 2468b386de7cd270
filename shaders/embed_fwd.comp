// SPDX-License-Identifier: MIT
// Embed forward: a row of a table for each image, by its label.
// Computes: y[b] = table[min(label[b], classes - 1)]
// Shapes:   y (B,C), labels (B) uint32; table: rows row0 to row0+rows-1 of (classes,C), others are left to other dispatches
// Push:     images = B, width = C, row0, rows, classes, first (number of the dispatch's first image: labels are the whole
//           batch's), blocks = ceil(C / (LOCAL ITEMS)) an image
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbours of one image, so the label is one word for all of them
// Precision: exact
// CPU:      kernels/ref/embed.go Embed
// Backward: embed_bwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 1, std430) readonly buffer Table { float table[]; };
layout(set = 0, binding = 2, std430) readonly buffer Labels { uint labels[]; };
layout(push_constant) uniform Push { uint images, width, row0, rows, classes, first, blocks; };
layout(constant_id = 1) const uint ITEMS = 4;

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return;
    uint row = min(labels[first + image], classes - 1) - row0; // wraps to a large number below row0
    if (row >= rows) return;
    for (uint c = block_first(block, ITEMS), end = block_end(block, ITEMS, width); c < end; c += gl_WorkGroupSize.x)
        y[image * width + c] = table[row * width + c];
}
