// SPDX-License-Identifier: MIT
// Embed backward: a row of the table gathers the gradients of the images with its label: no two invocations write one word.
// Computes: dtable[k] = (ACC ? dtable[k] : 0) + sum over the b with label k, in their order, of dy[b]
// Shapes:   dy (images,C), labels (B) uint32; dtable: rows row0 to row0+rows-1 of (classes,C)
// Push:     images, width = C, row0, rows, classes, first (number of dy's first image: labels are the whole batch's),
//           blocks = ceil(C / (LOCAL ITEMS)) a row
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 ACC: add to what dtable holds
// Dispatch: rows blocks workgroups; one owns LOCAL ITEMS neighbours of one row of the table
// Precision: fp32
// CPU:      kernels/ref/embed.go EmbedBackward
// Forward:  embed_fwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = 0, std430) buffer DTable { float dtable[]; };
layout(set = 0, binding = 1, std430) readonly buffer DY { float dy[]; };
layout(set = 0, binding = 2, std430) readonly buffer Labels { uint labels[]; };
layout(push_constant) uniform Push { uint images, width, row0, rows, classes, first, blocks; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool ACC = false;

uint label(uint image) { return min(labels[first + image], classes - 1); }

void main() {
    uint row = group_index() / blocks, block = group_index() % blocks;
    if (row >= rows) return;
    uint k = row0 + row;

    // The first image with this label, once for all columns: most rows have none.
    uint from = 0;
    while (from < images && label(from) != k) from++;
    if (ACC && from == images) return;

    for (uint c = block_first(block, ITEMS), end = block_end(block, ITEMS, width); c < end; c += gl_WorkGroupSize.x) {
        uint to = row * width + c;
        float sum = ACC ? dtable[to] : 0.0; // where the images before this piece of the batch left it
        for (uint b = from; b < images; b++)
            if (label(b) == k) sum += dy[b * width + c];
        dtable[to] = sum;
    }
}
