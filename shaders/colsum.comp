// SPDX-License-Identifier: MIT
// Column sums in chunks of rows: the gradient of a bias, and the second pass of every kernel that leaves partial sums; of two
// tensors of one shape, as the kernels with a slope and a shift leave them, in one dispatch.
// Computes: sum[chunk, c] = (ACC ? sum[chunk, c] : 0) + sum of src[r, c] over the chunk's rows r; the same for sum_b and src_b
// Shapes:   src, src_b (rows, cols), rows ld floats apart; sum, sum_b (chunks, cols) contiguous
// Push:     rows, cols, ld, off (floats), chunk (rows a workgroup)
// Spec:     0 LOCAL invocations; 1 ACC: add to what sum holds (with one chunk); 2 VEC: floats at a time, see vec.glsl;
//           3 LANES that share a column's rows, a divisor of LOCAL
// Dispatch: (ceil(cols LANES/(LOCAL VEC)), ceil(rows/chunk), 1 or 2 sums); an invocation adds up every LANES-th row of one chunk in VEC
//           columns, then lane 0 of a column the lanes
// Precision: fp32; an error of at most chunk/(4 LANES) + LANES + 2 roundings a pass
// CPU:      kernels/ref/colsum.go ColSum
// Backward: none; it is itself the backward of adding a bias
#version 450
#extension GL_GOOGLE_include_directive : require
#include "vec.glsl"

layout(local_size_x_id = 0) in;
UPDATES(0, sum)
READS(1, src)
UPDATES(2, sum_b)
READS(3, src_b)
layout(push_constant) uniform Push { uint rows, cols, ld, off, chunk; };
layout(constant_id = 0) const uint LOCAL = 64;
layout(constant_id = 1) const bool ACC = false;
layout(constant_id = 2) const uint VEC = 4;
layout(constant_id = 3) const uint LANES = 1;

const uint COLUMNS = LOCAL / LANES; // of a workgroup, VEC floats each
shared vec4 lane_sum[LOCAL]; // by lane, then by column

// Rows r, r + LANES, ... before end, of column c. Four running sums: four loads in flight, and a quarter of the loop's own cost.
#define COLUMN(name) \
    vec4 column_##name(uint r, uint end, uint c) { \
        vec4 s0 = vec4(0), s1 = vec4(0), s2 = vec4(0), s3 = vec4(0); \
        uint at = off + r * ld + c; \
        for (; r + 3 * LANES < end; r += 4 * LANES, at += 4 * LANES * ld) { \
            s0 += LOAD(name, at); \
            s1 += LOAD(name, at + LANES * ld); \
            s2 += LOAD(name, at + 2 * LANES * ld); \
            s3 += LOAD(name, at + 3 * LANES * ld); \
        } \
        for (; r < end; r += LANES, at += LANES * ld) s0 += LOAD(name, at); \
        return (s0 + s1) + (s2 + s3); \
    }
COLUMN(src)
COLUMN(src_b)

void main() {
    // Neighbours own neighbouring columns of one row, so that their loads are contiguous.
    uint i = gl_LocalInvocationID.x % COLUMNS, lane = gl_LocalInvocationID.x / COLUMNS;
    uint c = VEC * (gl_WorkGroupID.x * COLUMNS + i);
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    vec4 total = vec4(0);
    if (c < cols) {
        if (gl_WorkGroupID.z == 0) total = column_src(first + lane, end, c);
        else total = column_src_b(first + lane, end, c);
    }
    if (LANES > 1) {
        lane_sum[gl_LocalInvocationID.x] = total;
        // lane 0 reads what the other lanes of its column have written.
        barrier();
        if (lane > 0) return;
        for (uint l = 1; l < LANES; l++) total += lane_sum[l * COLUMNS + i];
    }
    if (c >= cols) return;
    uint to = gl_WorkGroupID.y * cols + c;
    if (gl_WorkGroupID.z == 0) {
        STORE(sum, to, ACC ? LOAD(sum, to) + total : total);
    } else {
        STORE(sum_b, to, ACC ? LOAD(sum_b, to) + total : total);
    }
}
