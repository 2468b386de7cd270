// SPDX-License-Identifier: MIT
// Derf backward: dx, and dalpha and dshift summed over a chunk of rows.
// Computes: g = dy * 2/sqrt(pi) * exp(-(alpha x + shift)^2);  dx = alpha g;
//           dalphaPart[chunk, c] = sum of g x, dshiftPart[chunk, c] = sum of g over the chunk's rows
// Shapes:   dx, dy, x (rows, C), rows ldDX, ldDY, ldX elements apart; alpha, shift (C); rounded (rows, C): dx as products read it;
//           dalphaPart, dshiftPart (chunks, C), summed over chunks by colsum.comp
// Push:     rows, cols = C, ldDX, offDX, ldDY, offDY, ldX, offX (elements), chunk (rows a workgroup)
// Spec:     0 LOCAL invocations; 1 ACC: add to what dx holds; 2 VEC: floats at a time, see vec.glsl; 3 FORMAT of dy in memory: 0 fp32;
//           1 fp16, 2 bf16, then VEC is 4; 4 ROWS at a time, see rows.glsl; 5 COPY: FORMAT of rounded; 0: there is none
// Dispatch: (ceil(C/(LOCAL VEC)), ceil(rows/chunk)); one invocation owns VEC columns of one chunk
// Precision: fp32
// CPU:      kernels/ref/derf.go DerfBackward
// Forward:  derf_fwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#define RESTRICT restrict
#include "math.glsl"
#include "precision.glsl"
#include "rows.glsl"
#include "vec.glsl"

layout(local_size_x_id = 0) in;
UPDATES(0, dx)
WRITES(1, dalpha_part)
WRITES(2, dshift_part)
READS_AS(3, dy)
READS(4, x)
READS(5, alpha)
READS(6, shift)
WRITES_AS(7, rounded)
layout(push_constant) uniform Push { uint rows, cols, ldDX, offDX, ldDY, offDY, ldX, offX, chunk; };
layout(constant_id = 1) const bool ACC = false;
layout(constant_id = 2) const uint VEC = 4;
layout(constant_id = 3) const uint FORMAT = 0;
layout(constant_id = 4) const uint ROWS = 4;
layout(constant_id = 5) const uint COPY = 0;

// The slope of erf at 0; erf'(u) is this times exp(-u^2).
const float TWO_OVER_SQRT_PI = 1.1283791670955126;

void main() {
    uint c = VEC * gl_GlobalInvocationID.x;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    if (c >= cols) return;

    // The channels' slopes and shifts, and the sums of their gradients, stay in registers all the way down the chunk.
    vec4 a = LOAD(alpha, c), s = LOAD(shift, c), dalpha = vec4(0), dshift = vec4(0);
    for (uint r = first; r < end; r += ROWS) {
        vec4 v[ROWS], d[ROWS], sum[ROWS];
        EACH_ROW(i) {
            uint row = ROW(r, i, end);
            v[i] = LOAD(x, offX + row * ldX + c);
            d[i] = LOAD_AS(FORMAT, dy, offDY + row * ldDY + c);
            if (ACC) sum[i] = LOAD(dx, offDX + row * ldDX + c);
        }
        EACH_ROW(i) {
            vec4 u = a * v[i] + s, w = -u * u;
            vec4 g = d[i] * TWO_OVER_SQRT_PI * vec4(exp_(w.x), exp_(w.y), exp_(w.z), exp_(w.w));
            // d u/dx = alpha, d u/dalpha = x, d u/dshift = 1
            vec4 grad = ACC ? sum[i] + a * g : a * g;
            STORE(dx, offDX + ROW(r, i, end) * ldDX + c, grad);
            if (COPY != 0) STORE_AS(COPY, rounded, ROW(r, i, end) * cols + c, grad);
            g = ONCE(r, i, end, g);
            dalpha += g * v[i];
            dshift += g;
        }
    }
    // One row of partial sums a chunk.
    uint part = gl_WorkGroupID.y * cols + c;
    STORE(dalpha_part, part, dalpha);
    STORE(dshift_part, part, dshift);
}
