// SPDX-License-Identifier: MIT
// Column sums in chunks of rows: the gradient of a bias, and the second pass of every kernel that leaves partial sums.
// Computes: sum[chunk, c] = (ACC ? sum[chunk, c] : 0) + sum of src[r, c] over the chunk's rows r
// Shapes:   src (rows, cols), rows ld floats apart; sum (chunks, cols) contiguous
// Push:     rows, cols, ld, off (floats), chunk (rows a workgroup)
// Spec:     0 LOCAL invocations; 1 ACC: add to what sum holds (with one chunk)
// Dispatch: (ceil(cols/LOCAL), ceil(rows/chunk)); one invocation owns one column of one chunk
// Precision: fp32; two passes of about sqrt(rows) terms each, so the error grows with the fourth root of rows
// CPU:      kernels/ref/colsum.go ColSum
// Backward: none; it is itself the backward of adding a bias
#version 450

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) buffer Sum { float sum[]; };
layout(set = 0, binding = 1, std430) readonly buffer Src { float src[]; };
layout(push_constant) uniform Push { uint rows, cols, ld, off, chunk; };
layout(constant_id = 1) const bool ACC = false;

void main() {
    uint c = gl_GlobalInvocationID.x;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    if (c >= cols) return;

    // Four running sums: four loads in flight, and a quarter of the loop's own cost.
    float s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0;
    uint at = off + first * ld + c, r = first;
    for (; r + 4 <= end; r += 4, at += 4 * ld) {
        s0 += src[at];
        s1 += src[at + ld];
        s2 += src[at + 2 * ld];
        s3 += src[at + 3 * ld];
    }
    for (; r < end; r++, at += ld) s0 += src[at];

    float total = (s0 + s1) + (s2 + s3);
    uint to = gl_WorkGroupID.y * cols + c;
    sum[to] = ACC ? sum[to] + total : total;
}
