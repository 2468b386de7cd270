// SPDX-License-Identifier: MIT
// FlowLoss forward, first pass: the squared error, one partial sum a workgroup. reduce.comp adds them.
// Computes: part[g] = a(tau[b])^2 * sum over the group's elements of (target - pred)^2, target and a as in flowloss.glsl
// Shapes:   pred, x, noise (B, count), of which x or noise is not read where the target does not need it; tau (B),
//           part (B blocks)
// Push:     images, count (floats an image), blocks = ceil(count / (LOCAL ITEMS)) an image, first (number of the
//           dispatch's first image: tau and part are the whole batch's), tauClamp, noiseScale
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; LOCAL ITEMS <= 1024; 2 PREDICT, 3 LOSS: 0 x, 1 e, 2 v;
//           4 VEC: floats at a time, see vec.glsl
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbours of one image
// Precision: fp32; at most 1024 terms of one sign a sum
// CPU:      kernels/ref/flow.go FlowLoss
// Backward: flowloss_bwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "vec.glsl"
#include "reduce.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Part { float part[]; };
READS(1, pred)
READS(2, x)
READS(3, noise)
layout(set = 0, binding = 4, std430) readonly buffer Tau { float tau[]; };
layout(push_constant) uniform Push { uint images, count, blocks, first; float tau_clamp, noise_scale; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const uint PREDICT = 0;
layout(constant_id = 3) const uint LOSS = 0;
layout(constant_id = 4) const uint VEC = 4;
#include "flowloss.glsl"

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return; // the whole group: no invocation waits at workgroup_add's barrier
    uint at = image * count; // the image's first float
    float sum = 0.0;
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x) {
        vec4 d = target(at + e) - LOAD(pred, at + e);
        sum = add4(sum, d * d);
    }
    vec2 a = slope(tau[first + image]);
    sum = workgroup_add(sum) * (a.x * a.x) / (a.y * a.y);
    if (gl_LocalInvocationIndex == 0) part[first * blocks + group_index()] = sum;
}
