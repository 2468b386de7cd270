// SPDX-License-Identifier: MIT
// VLoss forward, first pass: the squared velocity error, one partial sum a workgroup. reduce.comp adds them.
// Computes: part[g] = sum over the group's elements of (x - pred)^2 / max(1 - tau[b], tauClamp)^2
//           which is (v - v_pred)^2 for v = (x - z)/max(1 - tau, tauClamp), the same clamp on both (JiT, arXiv 2511.13720)
// Shapes:   pred, x (B, count), tau (B), part (B blocks)
// Push:     images, count (floats an image), blocks = ceil(count / (LOCAL ITEMS)) an image, first (number of the
//           dispatch's first image: tau and part are the whole batch's), tauClamp
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; LOCAL ITEMS <= 1024
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbours of one image
// Precision: fp32; at most 1024 terms of one sign a sum
// CPU:      kernels/ref/flow.go VLoss
// Backward: vloss_bwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "reduce.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Part { float part[]; };
layout(set = 0, binding = 1, std430) readonly buffer Pred { float pred[]; };
layout(set = 0, binding = 2, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 3, std430) readonly buffer Tau { float tau[]; };
layout(push_constant) uniform Push { uint images, count, blocks, first; float tau_clamp; };
layout(constant_id = 1) const uint ITEMS = 4;

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return; // the whole group: no invocation waits at workgroup_add's barrier
    uint at = image * count; // the image's first float
    float sum = 0.0;
    for (uint e = block_first(block, ITEMS), end = block_end(block, ITEMS, count); e < end; e += gl_WorkGroupSize.x) {
        float d = x[at + e] - pred[at + e];
        sum += d * d;
    }
    float scale = max(1.0 - tau[first + image], tau_clamp);
    sum = workgroup_add(sum) / (scale * scale);
    if (gl_LocalInvocationIndex == 0) part[first * blocks + group_index()] = sum;
}
