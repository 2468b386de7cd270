// SPDX-License-Identifier: MIT
// FlowLoss backward: the gradient of the mean with respect to the network's output.
// Computes: dpred = (pred - target) factor a(tau[b])^2,  factor = 2 / (B count), times loss_scale if SCALED; target and a as
//           in flowloss.glsl
// Shapes:   dpred, pred, x, noise (B, count), of which x or noise is not read where the target does not need it; tau (B);
//           step buffer
// Push:     images, count (floats an image), blocks = ceil(count / (LOCAL ITEMS)) an image, first (number of the
//           dispatch's first image: tau is the whole batch's), tauClamp, noiseScale, factor
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 PREDICT, 3 LOSS: 0 x, 1 e, 2 v; 4 SCALED: whether the step buffer
//           is there; 5 VEC: floats at a time, see vec.glsl
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbours of one image
// Precision: fp32
// CPU:      kernels/ref/flow.go FlowLossBackward
// Forward:  flowloss_fwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 5
#include "common.glsl"
#include "vec.glsl"
#include "step.glsl"

WRITES(0, dpred)
READS(1, pred)
READS(2, x)
READS(3, noise)
layout(set = 0, binding = 4, std430) readonly buffer Tau { float tau[]; };
layout(push_constant) uniform Push { uint images, count, blocks, first; float tau_clamp, noise_scale, factor; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const uint PREDICT = 0;
layout(constant_id = 3) const uint LOSS = 0;
layout(constant_id = 4) const bool SCALED = false;
layout(constant_id = 5) const uint VEC = 4;
#include "flowloss.glsl"

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return;
    vec2 a = slope(tau[first + image]);
    float f = (SCALED ? factor * now.loss_scale : factor) * (a.x * a.x) / (a.y * a.y);
    uint at = image * count; // the image's first float
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x)
        STORE(dpred, at + e, (LOAD(pred, at + e) - target(at + e)) * f);
}
