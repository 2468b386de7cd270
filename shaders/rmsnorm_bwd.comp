// SPDX-License-Identifier: MIT
// RMSNorm backward, second pass: dx, and dw summed over a chunk of rows.
// Computes: dx[c] = rstd * (w[c] dy[c] - x[c] dot);  dwPart[chunk, c] = sum over the chunk's rows of dy[c] x[c] rstd
//           from y = w x rstd and d rstd/dx[c] = -rstd^3 x[c]/C, dot = rstd^2/C sum(dy w x) of the first pass
// Shapes:   dx, dy, x (tokens, heads, C), each token ldDX, ldDY, ldX elements from the last; w (C);
//           rounded (tokens, heads, C): dx as products read it;
//           rstd, dot (tokens*heads); dwPart (chunks, C), summed over chunks by colsum.comp
// Push:     rows = tokens*heads, heads, cols = C, ldDX, offDX, ldDY, offDY, ldX, offX (elements), chunk (rows a workgroup)
// Spec:     0 LOCAL invocations; 1 ACC: add to what dx holds; 2 VEC: floats at a time, see vec.glsl; 3 FORMAT of dy in memory: 0 fp32;
//           1 fp16, 2 bf16, then VEC is 4; 4 ROWS at a time, see rows.glsl; 5 COPY: FORMAT of rounded; 0: there is none
// Dispatch: (ceil(C/(LOCAL VEC)), ceil(rows/chunk)); one invocation owns VEC columns of one chunk
// Precision: fp32 storage and sums
// CPU:      kernels/ref/rmsnorm.go RMSNormBackward
// Forward:  rmsnorm_fwd.comp; the first pass is rmsnorm_bwd_dot.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#define RESTRICT restrict
#include "precision.glsl"
#include "rows.glsl"
#include "vec.glsl"

layout(local_size_x_id = 0) in;
UPDATES(0, dx)
WRITES(1, dw_part)
READS_AS(2, dy)
READS(3, x)
READS(4, w)
layout(set = 0, binding = 5, std430) readonly buffer Rstd { float rstd[]; };
layout(set = 0, binding = 6, std430) readonly buffer Dot { float dot_[]; };
WRITES_AS(7, rounded)
layout(push_constant) uniform Push { uint rows, heads, cols, ldDX, offDX, ldDY, offDY, ldX, offX, chunk; };
layout(constant_id = 1) const bool ACC = false;
layout(constant_id = 2) const uint VEC = 4;
layout(constant_id = 3) const uint FORMAT = 0;
layout(constant_id = 4) const uint ROWS = 4;
layout(constant_id = 5) const uint COPY = 0;

void main() {
    uint c = VEC * gl_GlobalInvocationID.x;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    if (c >= cols) return;

    // The columns' weights and the sums of their gradients stay in registers all the way down the chunk.
    vec4 wc = LOAD(w, c), dw = vec4(0);
    uint token = first / heads, head = first % heads;  // counted up in the loop: a division a row would cost more
    for (uint r = first; r < end; r += ROWS) {
        vec4 g[ROWS], v[ROWS], sum[ROWS];
        float s[ROWS], dots[ROWS];
        uint to[ROWS];
        EACH_ROW(i) {
            // Lanes are neighbours in c, so their loads are too; rstd and dot are the row's.
            uint at = head * cols + c, row = ROW(r, i, end);
            to[i] = offDX + token * ldDX + at;
            g[i] = LOAD_AS(FORMAT, dy, offDY + token * ldDY + at);
            v[i] = LOAD(x, offX + token * ldX + at);
            s[i] = rstd[row];
            dots[i] = dot_[row];
            if (ACC) sum[i] = LOAD(dx, to[i]);
            if (row + 1 < end && ++head == heads) {
                head = 0;
                token++;
            }
        }
        EACH_ROW(i) {
            vec4 d = s[i] * (wc * g[i] - v[i] * dots[i]);
            if (ACC) d = sum[i] + d;
            STORE(dx, to[i], d);
            if (COPY != 0) STORE_AS(COPY, rounded, ROW(r, i, end) * cols + c, d);
            dw += ONCE(r, i, end, g[i]) * v[i] * s[i];
        }
    }
    // One row of partial sums a chunk.
    STORE(dw_part, gl_WorkGroupID.y * cols + c, dw);
}
