// SPDX-License-Identifier: MIT
// Derf forward: the error function of an affine map a channel, in place of a norm (arXiv 2512.10938).
// Computes: y[r,c] = erf(alpha[c] * x[r,c] + shift[c])
// Shapes:   x, y (rows, C), rows ldX, ldY floats apart; alpha, shift (C)
// Push:     rows, cols = C, ldX, offX, ldY, offY (floats), chunk (rows a workgroup)
// Spec:     0 LOCAL invocations; 1 FORMAT of y in memory: 0 fp32; 1 fp16, 2 bf16, then C, ldY, offY are multiples of four
// Dispatch: (ceil(C/LOCAL), ceil(rows/chunk)); one invocation owns one column of a chunk, so alpha and shift stay put;
//           of halves it owns four neighbouring columns, as they share words: (ceil(C/4/LOCAL), ceil(rows/chunk))
// Precision: fp32; y rounded where it is in halves
// CPU:      kernels/ref/derf.go Derf
// Backward: derf_bwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "math.glsl"
#include "precision.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 0, std430) writeonly buffer YHalves { uvec2 y_halves[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 2, std430) readonly buffer Alpha { float alpha[]; };
layout(set = 0, binding = 3, std430) readonly buffer Shift { float shift[]; };
layout(push_constant) uniform Push { uint rows, cols, ldX, offX, ldY, offY, chunk; };
layout(constant_id = 1) const uint FORMAT = 0;

void main() {
    uint c = gl_GlobalInvocationID.x * (FORMAT == 0 ? 1 : 4);
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    if (c >= cols) return;

    if (FORMAT == 0) {
        float a = alpha[c], s = shift[c];
        for (uint r = first; r < end; r++) y[offY + r * ldY + c] = erf_(a * x[offX + r * ldX + c] + s);
        return;
    }
    vec4 a = vec4(alpha[c], alpha[c + 1], alpha[c + 2], alpha[c + 3]), s = vec4(shift[c], shift[c + 1], shift[c + 2], shift[c + 3]);
    for (uint r = first; r < end; r++) {
        uint at = offX + r * ldX + c;
        vec4 v;
        for (uint q = 0; q < 4; q++) v[q] = erf_(a[q] * x[at + q] + s[q]);
        y_halves[(offY + r * ldY + c) / 4] = pack_halves(FORMAT, v);
    }
}
