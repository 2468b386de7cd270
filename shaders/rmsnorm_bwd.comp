// SPDX-License-Identifier: MIT
// RMSNorm backward, second pass: dx, and dw summed over a chunk of rows.
// Computes: dx[c] = rstd * (w[c] dy[c] - x[c] dot);  dwPart[chunk, c] = sum over the chunk's rows of dy[c] x[c] rstd
//           from y = w x rstd and d rstd/dx[c] = -rstd^3 x[c]/C, dot = rstd^2/C sum(dy w x) of the first pass
// Shapes:   dx, dy, x (tokens, heads, C), each token ldDX, ldDY, ldX floats from the last; w (C);
//           rstd, dot (tokens*heads); dwPart (chunks, C), summed over chunks by colsum.comp
// Push:     rows = tokens*heads, heads, cols = C, ldDX, offDX, ldDY, offDY, ldX, offX (floats), chunk (rows a workgroup)
// Spec:     0 LOCAL invocations; 1 ACC: add to what dx holds
// Dispatch: (ceil(C/LOCAL), ceil(rows/chunk)); one invocation owns one column of one chunk
// Precision: fp32 storage and sums
// CPU:      kernels/ref/rmsnorm.go RMSNormBackward
// Forward:  rmsnorm_fwd.comp; the first pass is rmsnorm_bwd_dot.comp
#version 450

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) buffer DX { float dx[]; };
layout(set = 0, binding = 1, std430) writeonly buffer DWPart { float dw_part[]; };
layout(set = 0, binding = 2, std430) readonly buffer DY { float dy[]; };
layout(set = 0, binding = 3, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 4, std430) readonly buffer W { float w[]; };
layout(set = 0, binding = 5, std430) readonly buffer Rstd { float rstd[]; };
layout(set = 0, binding = 6, std430) readonly buffer Dot { float dot_[]; };
layout(push_constant) uniform Push { uint rows, heads, cols, ldDX, offDX, ldDY, offDY, ldX, offX, chunk; };
layout(constant_id = 1) const bool ACC = false;

void main() {
    uint c = gl_GlobalInvocationID.x;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    if (c >= cols) return;

    // The column's weight and the sum of its gradient stay in registers all the way down the chunk.
    float wc = w[c], dw = 0.0;
    uint token = first / heads, head = first % heads;  // counted up in the loop: a division a row would cost more
    for (uint r = first; r < end; r++) {
        // Lanes are neighbours in c, so their loads are too; rstd and dot are the row's.
        uint at = head * cols + c;
        float g = dy[offDY + token * ldDY + at], v = x[offX + token * ldX + at], s = rstd[r];
        float d = s * (wc * g - v * dot_[r]);
        uint to = offDX + token * ldDX + at;
        dx[to] = ACC ? dx[to] + d : d;
        dw += g * v * s;
        if (++head == heads) {
            head = 0;
            token++;
        }
    }
    // One row of partial sums a chunk.
    dw_part[gl_WorkGroupID.y * cols + c] = dw;
}
