// SPDX-License-Identifier: MIT
// EMA: the running average of the weights that samples are drawn with.
// Computes: ema = d ema + (1 - d) w, d = step.ema_decay or, for the second average, step.ema_decay2
// Shapes:   ema, w flat, count floats; step buffer
// Push:     count
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 SECOND average; 3 VEC: floats at a time, see vec.glsl
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32; as ema + (1 - d)(w - ema), so that ema = w stays exactly there
// CPU:      kernels/ref/ema.go EMA
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 2
#include "common.glsl"
#include "vec.glsl"
#include "step.glsl"

UPDATES(0, ema)
READS(1, w)
layout(push_constant) uniform Push { uint count; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool SECOND = false;
layout(constant_id = 3) const uint VEC = 4;

void main() {
    float toward = 1.0 - (SECOND ? now.ema_decay2 : now.ema_decay);
    uint block = group_index();
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x) {
        vec4 old = LOAD(ema, e);
        STORE(ema, e, old + toward * (LOAD(w, e) - old));
    }
}
