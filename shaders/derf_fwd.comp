// SPDX-License-Identifier: MIT
// Derf forward: the error function of an affine map, channel by channel, in place of a norm (arXiv 2512.10938; the post's form).
// Computes: y[n,c] = erf(alpha[c] x[n,c] + shift[c])
// Shapes:   x, y (rows, C), rows ldX, ldY floats apart; alpha, shift (C)
// Push:     rows, cols = C, ldX, offX, ldY, offY (elements), chunk (rows a workgroup)
// Spec:     0 LOCAL invocations; 1 VEC: floats at a time, see vec.glsl; 2 FORMAT of y in memory: 0 fp32; 1 fp16, 2 bf16, then VEC
//           is 4; 3 ROWS at a time, see rows.glsl
// Dispatch: (ceil(C/(LOCAL VEC)), ceil(rows/chunk)); one invocation owns VEC columns of a chunk, so alpha and shift stay put
// Precision: fp32; y rounded where it is in halves
// CPU:      kernels/ref/derf.go Derf
// Backward: derf_bwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#define RESTRICT restrict
#include "math.glsl"
#include "precision.glsl"
#include "rows.glsl"
#include "vec.glsl"

layout(local_size_x_id = 0) in;
WRITES_AS(0, y)
READS(1, x)
READS(2, alpha)
READS(3, shift)
layout(push_constant) uniform Push { uint rows, cols, ldX, offX, ldY, offY, chunk; };
layout(constant_id = 1) const uint VEC = 4;
layout(constant_id = 2) const uint FORMAT = 0;
layout(constant_id = 3) const uint ROWS = 4;

void main() {
    uint c = VEC * gl_GlobalInvocationID.x;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    if (c >= cols) return;

    vec4 a = LOAD(alpha, c), s = LOAD(shift, c);
    for (uint r = first; r < end; r += ROWS) {
        vec4 v[ROWS];
        EACH_ROW(i) v[i] = LOAD(x, offX + ROW(r, i, end) * ldX + c);
        EACH_ROW(i) {
            vec4 u = a * v[i] + s;
            STORE_AS(FORMAT, y, offY + ROW(r, i, end) * ldY + c, vec4(erf_(u.x), erf_(u.y), erf_(u.z), erf_(u.w)));
        }
    }
}
