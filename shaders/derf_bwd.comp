// SPDX-License-Identifier: MIT
// Derf backward: dx, and dalpha and dshift summed over a chunk of rows.
// Computes: g = dy * 2/sqrt(pi) * exp(-(alpha x + shift)^2);  dx = alpha g;
//           dalphaPart[chunk, c] = sum of g x, dshiftPart[chunk, c] = sum of g over the chunk's rows
// Shapes:   dx, dy, x (rows, C), rows ldDX, ldDY, ldX floats apart; alpha, shift (C);
//           dalphaPart, dshiftPart (chunks, C), summed over chunks by colsum.comp
// Push:     rows, cols = C, ldDX, offDX, ldDY, offDY, ldX, offX (floats), chunk (rows a workgroup)
// Spec:     0 LOCAL invocations; 1 ACC: add to what dx holds
// Dispatch: (ceil(C/LOCAL), ceil(rows/chunk)); one invocation owns one column of one chunk
// Precision: fp32
// CPU:      kernels/ref/derf.go DerfBackward
// Forward:  derf_fwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "math.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) buffer DX { float dx[]; };
layout(set = 0, binding = 1, std430) writeonly buffer DAlphaPart { float dalpha_part[]; };
layout(set = 0, binding = 2, std430) writeonly buffer DShiftPart { float dshift_part[]; };
layout(set = 0, binding = 3, std430) readonly buffer DY { float dy[]; };
layout(set = 0, binding = 4, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 5, std430) readonly buffer Alpha { float alpha[]; };
layout(set = 0, binding = 6, std430) readonly buffer Shift { float shift[]; };
layout(push_constant) uniform Push { uint rows, cols, ldDX, offDX, ldDY, offDY, ldX, offX, chunk; };
layout(constant_id = 1) const bool ACC = false;

// The slope of erf at 0; erf'(u) is this times exp(-u^2).
const float TWO_OVER_SQRT_PI = 1.1283791670955126;

void main() {
    uint c = gl_GlobalInvocationID.x;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    if (c >= cols) return;

    // The channel's slope and shift, and the sums of their gradients, stay in registers all the way down the chunk.
    float a = alpha[c], s = shift[c], dalpha = 0.0, dshift = 0.0;
    for (uint r = first; r < end; r++) {
        float v = x[offX + r * ldX + c], u = a * v + s;
        float g = dy[offDY + r * ldDY + c] * TWO_OVER_SQRT_PI * exp_(-u * u);
        // d u/dx = alpha, d u/dalpha = x, d u/dshift = 1
        uint to = offDX + r * ldDX + c;
        dx[to] = ACC ? dx[to] + a * g : a * g;
        dalpha += g * v;
        dshift += g;
    }
    // One row of partial sums a chunk.
    uint part = gl_WorkGroupID.y * cols + c;
    dalpha_part[part] = dalpha;
    dshift_part[part] = dshift;
}
