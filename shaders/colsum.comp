// SPDX-License-Identifier: MIT
// Column sums in chunks of rows: the gradient of a bias, and the second pass of every kernel that leaves partial sums.
// Computes: sum[chunk, c] = (ACC ? sum[chunk, c] : 0) + sum of src[r, c] over the chunk's rows r
// Shapes:   src (rows, cols), rows ld floats apart; sum (chunks, cols) contiguous
// Push:     rows, cols, ld, off (floats), chunk (rows a workgroup)
// Spec:     0 LOCAL invocations; 1 ACC: add to what sum holds (with one chunk); 2 VEC: floats at a time, see vec.glsl
// Dispatch: (ceil(cols/(LOCAL VEC)), ceil(rows/chunk)); one invocation owns VEC columns of one chunk
// Precision: fp32; two passes of about sqrt(rows) terms each, so the error grows with the fourth root of rows
// CPU:      kernels/ref/colsum.go ColSum
// Backward: none; it is itself the backward of adding a bias
#version 450
#extension GL_GOOGLE_include_directive : require
#include "vec.glsl"

layout(local_size_x_id = 0) in;
UPDATES(0, sum)
READS(1, src)
layout(push_constant) uniform Push { uint rows, cols, ld, off, chunk; };
layout(constant_id = 1) const bool ACC = false;
layout(constant_id = 2) const uint VEC = 4;

void main() {
    uint c = VEC * gl_GlobalInvocationID.x;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    if (c >= cols) return;

    // Four running sums: four loads in flight, and a quarter of the loop's own cost.
    vec4 s0 = vec4(0), s1 = vec4(0), s2 = vec4(0), s3 = vec4(0);
    uint at = off + first * ld + c, r = first;
    for (; r + 4 <= end; r += 4, at += 4 * ld) {
        s0 += LOAD(src, at);
        s1 += LOAD(src, at + ld);
        s2 += LOAD(src, at + 2 * ld);
        s3 += LOAD(src, at + 3 * ld);
    }
    for (; r < end; r++, at += ld) s0 += LOAD(src, at);

    vec4 total = (s0 + s1) + (s2 + s3);
    uint to = gl_WorkGroupID.y * cols + c;
    STORE(sum, to, ACC ? LOAD(sum, to) + total : total);
}
