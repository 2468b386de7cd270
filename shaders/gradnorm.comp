// SPDX-License-Identifier: MIT
// GradNorm, first pass: one partial sum of squares a workgroup. reduce.comp adds them and takes the root.
// Computes: part[g] = sum over the group's elements of g^2
// Shapes:   g flat, count floats; part (workgroups)
// Push:     count, groups = ceil(count / (LOCAL ITEMS)): those past it exist where groups are laid over two dimensions
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; LOCAL ITEMS <= 1024; 2 VEC: floats at a time, see vec.glsl
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: fp32; at most 1024 terms of one sign a sum
// CPU:      kernels/ref/reduce.go Norm
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "vec.glsl"
#include "reduce.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Part { float part[]; };
READS(1, g)
layout(push_constant) uniform Push { uint count, groups; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const uint VEC = 4;

void main() {
    uint block = group_index();
    float sum = 0.0;
    for (uint e = block_first(block, ITEMS, VEC), end = block_end(block, ITEMS, count); e < end; e += VEC * gl_WorkGroupSize.x) {
        vec4 v = LOAD(g, e);
        sum = add4(sum, v * v);
    }
    sum = workgroup_add(sum);
    if (gl_LocalInvocationIndex == 0 && block < groups) part[block] = sum;
}
