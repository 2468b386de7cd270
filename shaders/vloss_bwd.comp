// SPDX-License-Identifier: MIT
// VLoss backward: the gradient of the mean with respect to the predicted image.
// Computes: dpred = (pred - x) * factor / max(1 - tau[b], tauClamp)^2,  factor = 2 / (B count), times loss_scale if SCALED
// Shapes:   dpred, pred, x (B, count), tau (B); step buffer
// Push:     images, count (floats an image), blocks = ceil(count / (LOCAL ITEMS)) an image, first (number of the
//           dispatch's first image: tau is the whole batch's), tauClamp, factor
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 SCALED: whether the step buffer is there
// Dispatch: images blocks workgroups; one owns LOCAL ITEMS neighbours of one image
// Precision: fp32
// CPU:      kernels/ref/flow.go VLossBackward
// Forward:  vloss_fwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 4
#include "common.glsl"
#include "step.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer DPred { float dpred[]; };
layout(set = 0, binding = 1, std430) readonly buffer Pred { float pred[]; };
layout(set = 0, binding = 2, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 3, std430) readonly buffer Tau { float tau[]; };
layout(push_constant) uniform Push { uint images, count, blocks, first; float tau_clamp, factor; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool SCALED = false;

void main() {
    uint image = group_index() / blocks, block = group_index() % blocks;
    if (image >= images) return;
    float scale = max(1.0 - tau[first + image], tau_clamp);
    float f = (SCALED ? factor * now.loss_scale : factor) / (scale * scale);
    uint at = image * count; // the image's first float
    for (uint e = block_first(block, ITEMS), end = block_end(block, ITEMS, count); e < end; e += gl_WorkGroupSize.x)
        dpred[at + e] = (pred[at + e] - x[at + e]) * f;
}
