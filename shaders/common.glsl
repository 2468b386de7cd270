// SPDX-License-Identifier: MIT
//
// Purpose: which elements a workgroup owns, for kernels that take LOCAL * ITEMS consecutive elements a workgroup.
// Use: #include "common.glsl", which makes the workgroup's size, LOCAL, constant_id 0; declare ITEMS (constant_id 1), then
//   for (uint e = block_first(group, ITEMS), end = block_end(group, ITEMS, count); e < end; e += gl_WorkGroupSize.x)
// Computes: lane i of the group visits first + i, first + LOCAL + i, ...: neighbours in a subgroup, neighbours in memory.

#ifndef COMMON_GLSL
#define COMMON_GLSL

layout(local_size_x_id = 0) in; // here, because gl_WorkGroupSize below is 1 to the compiler until it has seen this

const uint IMG_C = 3; // channels of every image

// Groups are laid over x and y, because Vulkan promises no more than 65535 along x.
uint group_index() {
    return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
}

// This invocation's first element of block `block` (elements), where it takes `vec` neighbours at a time.
uint block_first(uint block, uint items, uint vec) {
    return block * gl_WorkGroupSize.x * items + vec * gl_LocalInvocationIndex;
}

uint block_first(uint block, uint items) { return block_first(block, items, 1); }

// One past the block's last element, cut at count.
uint block_end(uint block, uint items, uint count) {
    return min((block + 1) * gl_WorkGroupSize.x * items, count);
}

#endif
