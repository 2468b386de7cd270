// SPDX-License-Identifier: MIT
// NoiseMix: a point on the straight path from noise to image.
// Computes: z[b] = tau[b] x[b] + (1 - tau[b]) noiseScale eps[b]
// Shapes:   z, x, eps (B, count), tau (B)
// Push:     images, count (floats an image), blocks = ceil(count / (LOCAL ITEMS)) an image, first (number of the
//           dispatch's first image: tau is the whole batch's), noiseScale
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbours of one image, so tau is one word for all of them
// Precision: fp32
// CPU:      kernels/ref/flow.go NoiseMix
// Backward: none: nothing learned lies behind it
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Z { float z[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 2, std430) readonly buffer Eps { float eps[]; };
layout(set = 0, binding = 3, std430) readonly buffer Tau { float tau[]; };
layout(push_constant) uniform Push { uint images, count, blocks, first; float noise_scale; };
layout(constant_id = 1) const uint ITEMS = 4;

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return;
    float to_image = tau[first + image], to_noise = (1.0 - to_image) * noise_scale;
    uint at = image * count; // the image's first float
    for (uint e = block_first(block, ITEMS), end = block_end(block, ITEMS, count); e < end; e += gl_WorkGroupSize.x)
        z[at + e] = to_image * x[at + e] + to_noise * eps[at + e];
}
