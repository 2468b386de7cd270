// SPDX-License-Identifier: MIT
//
// Purpose: the sum of one value per invocation over the workgroup, always added in the same order.
// Use: call workgroup_add from uniform control flow; every invocation gets the answer. Once a kernel: a
// second call would write subgroup_sum while others still read it.
// Computes: subgroupAdd, then, where a workgroup has several subgroups, a sum of theirs through shared memory.

#ifndef REDUCE_GLSL
#define REDUCE_GLSL

#extension GL_KHR_shader_subgroup_arithmetic : require

shared float subgroup_sum[256]; // one per subgroup; LOCAL <= 256

float workgroup_add(float v) {
    v = subgroupAdd(v);
    if (gl_NumSubgroups == 1) return v; // CPU drivers: no barrier
    if (subgroupElect()) subgroup_sum[gl_SubgroupID] = v;
    // all subgroup_sum writes visible before any invocation reads them
    barrier();
    float total = 0.0;
    for (uint s = 0; s < gl_NumSubgroups; s++) total += subgroup_sum[s];
    return total;
}

#endif
