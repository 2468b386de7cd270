// SPDX-License-Identifier: MIT
// LogitNormal: the flow time of every image of a batch.
// Computes: tau[i] = sigmoid(mu + sigma n), n = first normal of Philox(counter = (0, image0 + i, step, stream), key = seed)
// Shapes:   tau (B); step buffer
// Push:     images = B, mu, sigma, stream
// Spec:     0 LOCAL invocations; 1 ITEMS, unused
// Dispatch: ceil(B / LOCAL) workgroups; one invocation an image
// Precision: 1e-6
// CPU:      kernels/ref/philox.go LogitNormal
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 1
#include "common.glsl"
#include "step.glsl"
#include "philox.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Tau { float tau[]; };
layout(push_constant) uniform Push { uint images; float mu, sigma; uint stream; };

void main() {
    uint image = block_first(group_index(), 1);
    if (image < images) tau[image] = sigmoid_(mu + sigma * normal4(random4(0, image, stream)).x);
}
