// SPDX-License-Identifier: MIT
// DropLabels: now and then the label "none", so that a model learns to do without (Ho and Salimans, arXiv 2207.12598).
// Computes: kept[i] = u < prob ? none : label[i], u = the upper 24 bits of the first word of Philox(counter =
//           (0, image0 + i, step, stream), key = seed), as a fraction of 2^24
// Shapes:   kept, labels (B) uint32; step buffer
// Push:     images = B, none, prob, stream
// Spec:     0 LOCAL invocations; 1 ITEMS, unused
// Dispatch: ceil(B / LOCAL) workgroups; one invocation an image
// Precision: exact
// CPU:      kernels/ref/droplabels.go DropLabels
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 2
#include "common.glsl"
#include "step.glsl"
#include "philox.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Kept { uint kept[]; };
layout(set = 0, binding = 1, std430) readonly buffer Labels { uint labels[]; };
layout(push_constant) uniform Push { uint images, none; float prob; uint stream; };

void main() {
    uint image = block_first(group_index(), 1);
    if (image >= images) return;
    // 24 bits and a power of two: the comparison is exact.
    float u = uniform4(random4(0, image, stream)).x;
    kept[image] = u < prob ? none : labels[image];
}
