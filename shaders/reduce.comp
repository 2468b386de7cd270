// SPDX-License-Identifier: MIT
// Reduce: adds floats in chunks; the later passes of every sum over a whole tensor.
// Computes: out[g] = factor * sum of src over the group's elements, or its square root if ROOT
// Shapes:   src (count), out (workgroups)
// Push:     count, groups = ceil(count / (LOCAL ITEMS)): those past it exist where groups are laid over two dimensions; factor
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; LOCAL ITEMS <= 1024; 2 ROOT
// Dispatch: groups workgroups; again on their sums until one is left
// Precision: fp32; with 1024 terms a group and at most four levels the rounding stays near 1e-6 of a sum of one sign
// CPU:      kernels/ref/reduce.go Sum, Norm
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "reduce.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Out { float out_[]; };
layout(set = 0, binding = 1, std430) readonly buffer Src { float src[]; };
layout(push_constant) uniform Push { uint count, groups; float factor; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const bool ROOT = false;

void main() {
    uint block = group_index();
    float sum = 0.0;
    for (uint e = block_first(block, ITEMS), end = block_end(block, ITEMS, count); e < end; e += gl_WorkGroupSize.x)
        sum += src[e];
    sum = factor * workgroup_add(sum);
    if (gl_LocalInvocationIndex == 0 && block < groups) out_[block] = ROOT ? sqrt(sum) : sum;
}
