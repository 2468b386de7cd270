// SPDX-License-Identifier: MIT
// EMA: the running average of the weights that samples are drawn with.
// Computes: ema = d ema + (1 - d) w, d = step.ema_decay or, for the second average, step.ema_decay2
// Shapes:   ema, w flat, count floats; step buffer
// Push:     count
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 SECOND average
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32; as ema + (1 - d)(w - ema), so that ema = w stays exactly there
// CPU:      kernels/ref/ema.go EMA
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 2
#include "common.glsl"
#include "step.glsl"

layout(set = 0, binding = 0, std430) buffer Ema { float ema[]; };
layout(set = 0, binding = 1, std430) readonly buffer W { float w[]; };
layout(push_constant) uniform Push { uint count; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool SECOND = false;

void main() {
    float toward = 1.0 - (SECOND ? now.ema_decay2 : now.ema_decay);
    uint block = group_index();
    for (uint e = block_first(block, ITEMS), end = block_end(block, ITEMS, count); e < end; e += gl_WorkGroupSize.x)
        ema[e] += toward * (w[e] - ema[e]);
}
