// SPDX-License-Identifier: MIT
// NoiseMix: a point on the straight path from noise to image.
// Computes: z[b] = tau[b] x[b] + (1 - tau[b]) noiseScale eps[b]
// Shapes:   z, x, eps (B, count), tau (B)
// Push:     images, count (floats an image), blocks = ceil(count / (LOCAL ITEMS)) an image, first (number of the
//           dispatch's first image: tau is the whole batch's), noiseScale
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 VEC: floats at a time, see vec.glsl
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbours of one image, so tau is one word for all of them
// Precision: fp32
// CPU:      kernels/ref/flow.go NoiseMix
// Backward: none: nothing learned lies behind it
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "vec.glsl"

WRITES(0, z)
READS(1, x)
READS(2, eps)
layout(set = 0, binding = 3, std430) readonly buffer Tau { float tau[]; };
layout(push_constant) uniform Push { uint images, count, blocks, first; float noise_scale; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const uint VEC = 4;

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return;
    float to_image = tau[first + image], to_noise = (1.0 - to_image) * noise_scale;
    uint at = image * count; // the image's first float
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x)
        STORE(z, at + e, to_image * LOAD(x, at + e) + to_noise * LOAD(eps, at + e));
}
