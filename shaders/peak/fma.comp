// SPDX-License-Identifier: MIT
// Peak of fp32 arithmetic: what the device's multiply-adds reach when nothing but registers feeds them.
// Computes: y = Σ over CHAINS chains of x(steps), where x(0) = e mod 64 + chain, x(n+1) = a x(n) + b, for element e
// Shapes:   y flat, count floats
// Push:     count; steps, a multiple of UNROLL; a, b
// Spec:     0 LOCAL invocations
// Dispatch: ceil(count / LOCAL) workgroups; an invocation owns an element
// Precision: fp32
// CPU:      kernels/ref/peak.go PeakFMA
// Backward: none: it measures a device and is no part of a model
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { uint count, steps; float a, b; };

// A chain's next step waits for the one before, four cycles or so; this many chains keep the units busy meanwhile, and still
// fit, each in a register, into a CPU's sixteen.
const uint CHAINS = 12;
const uint UNROLL = 8; // steps for one turn of the loop, so that its counter does not count

void main() {
    uint e = group_index() * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
    if (e >= count) return;
    float x[CHAINS];
    [[unroll]] for (uint c = 0; c < CHAINS; c++) x[c] = float(e % 64 + c);
    for (uint n = 0; n < steps; n += UNROLL) {
        [[unroll]] for (uint u = 0; u < UNROLL; u++)
            [[unroll]] for (uint c = 0; c < CHAINS; c++) x[c] = fma(x[c], a, b);
    }
    // Every chain is part of the result, or the compiler would drop it.
    float sum = 0.0;
    [[unroll]] for (uint c = 0; c < CHAINS; c++) sum += x[c];
    y[e] = sum;
}
