// SPDX-License-Identifier: MIT
// Derf forward: the error function of an affine map a channel, in place of a norm (arXiv 2512.10938).
// Computes: y[r,c] = erf(alpha[c] * x[r,c] + shift[c])
// Shapes:   x, y (rows, C), rows ldX, ldY floats apart; alpha, shift (C)
// Push:     rows, cols = C, ldX, offX, ldY, offY (floats), chunk (rows a workgroup)
// Spec:     0 LOCAL invocations
// Dispatch: (ceil(C/LOCAL), ceil(rows/chunk)); one invocation owns one column of a chunk, so alpha and shift stay put
// Precision: fp32
// CPU:      kernels/ref/derf.go Derf
// Backward: derf_bwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "math.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 2, std430) readonly buffer Alpha { float alpha[]; };
layout(set = 0, binding = 3, std430) readonly buffer Shift { float shift[]; };
layout(push_constant) uniform Push { uint rows, cols, ldX, offX, ldY, offY, chunk; };

void main() {
    uint c = gl_GlobalInvocationID.x;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    if (c >= cols) return;

    float a = alpha[c], s = shift[c];
    for (uint r = first; r < end; r++) y[offY + r * ldY + c] = erf_(a * x[offX + r * ldX + c] + s);
}
