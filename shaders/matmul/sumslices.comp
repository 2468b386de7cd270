// SPDX-License-Identifier: MIT
// Sum of slices: the second half of a product that is split along K, with the epilogue that its slices had to do without.
// Computes: C = sum over s of part[s] [+ bias of the column] [+ residual] [+ C]
// Shapes:   C and residual (M,N), rows ldX floats apart, the first offX floats in; part (slices,M,N) contiguous; bias (N)
// Push:     M, N, slices; blocks = ceil(N / (LOCAL ITEMS)) a row; ldC, offC, ldR, offR, offBias (floats)
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 ACCUMULATE; 3 BIAS; 4 RESIDUAL
// Dispatch: M blocks workgroups; a workgroup stays within one row
// Precision: fp32, the slices in order, then bias, residual and C, as in the rungs
// CPU:      kernels/ref/sumslices.go SumSlices
// Backward: none; it is part of a product, whose gradients are products
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = 0, std430) buffer C { float c[]; };
layout(set = 0, binding = 1, std430) readonly buffer Part { float part[]; };
layout(set = 0, binding = 2, std430) readonly buffer Bias { float bias[]; };
layout(set = 0, binding = 3, std430) readonly buffer Residual { float residual[]; };
layout(push_constant) uniform Push { uint M, N, slices, blocks, ldC, offC, ldR, offR, offBias; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool ACCUMULATE = false;
layout(constant_id = 3) const bool BIAS = false;
layout(constant_id = 4) const bool RESIDUAL = false;

void main() {
    uint m = group_index() / blocks, block = group_index() % blocks;
    if (m >= M) return;
    for (uint n = block_first(block, ITEMS), end = block_end(block, ITEMS, N); n < end; n += gl_WorkGroupSize.x) {
        // In order: no atomics, so the same bits every time.
        float v = 0.0;
        for (uint s = 0, at = m * N + n; s < slices; s++, at += M * N) v += part[at];
        if (BIAS) v += bias[offBias + n];
        if (RESIDUAL) v += residual[offR + m * ldR + n];
        uint to = offC + m * ldC + n; // floats
        c[to] = ACCUMULATE ? v + c[to] : v;
    }
}
