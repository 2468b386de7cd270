// SPDX-License-Identifier: MIT
// NormModulate backward, second pass: dx, and the two sums of which the other gradients are made, over a chunk of tokens.
// Computes: dx = rstd * (w (1 + scale) dy - x dot);
//           normPart[b,chunk,c] = sum over the chunk of dy x rstd;  dyPart[b,chunk,c] = sum over the chunk of dy
// Shapes:   dx, dy, x (B,T,C); w (C); scale (B,C), rows ldScale floats apart; rstd, dot (B,T);
//           normPart, dyPart (B,chunks,C), taken further by normmodulate_bwd_sum.comp
// Push:     tokens = T, cols = C, ldScale, offScale (floats), chunk (tokens a workgroup)
// Spec:     0 LOCAL invocations; 1 ACC: add to what dx holds; 2 VEC: floats at a time, see vec.glsl; 3 FORMAT of dy in memory: 0 fp32;
//           1 fp16, 2 bf16, then VEC is 4; 4 ROWS at a time, see rows.glsl
// Dispatch: (ceil(C/(LOCAL VEC)), ceil(T/chunk), B); one invocation owns VEC columns of one chunk of one image
// Precision: fp32 storage and sums
// CPU:      kernels/ref/normmodulate.go NormModulateBackward
// Forward:  normmodulate_fwd.comp; the first pass is normmodulate_bwd_dot.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#define RESTRICT restrict
#include "precision.glsl"
#include "rows.glsl"
#include "vec.glsl"

layout(local_size_x_id = 0) in;
UPDATES(0, dx)
WRITES(1, norm_part)
WRITES(2, dy_part)
READS_AS(3, dy)
READS(4, x)
READS(5, w)
READS(6, scale)
layout(set = 0, binding = 7, std430) readonly buffer Rstd { float rstd[]; };
layout(set = 0, binding = 8, std430) readonly buffer Dot { float dot_[]; };
layout(push_constant) uniform Push { uint tokens, cols, ldScale, offScale, chunk; };
layout(constant_id = 1) const bool ACC = false;
layout(constant_id = 2) const uint VEC = 4;
layout(constant_id = 3) const uint FORMAT = 0;
layout(constant_id = 4) const uint ROWS = 4;

void main() {
    uint c = VEC * gl_GlobalInvocationID.x, image = gl_WorkGroupID.z;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, tokens);
    if (c >= cols) return;

    // The image's weights of these columns, and both sums, stay in registers all the way down the chunk.
    vec4 e = LOAD(w, c) * (1.0 + LOAD(scale, offScale + image * ldScale + c)), norm = vec4(0), total = vec4(0);
    for (uint t = first; t < end; t += ROWS) {
        vec4 g[ROWS], v[ROWS], sum[ROWS];
        float s[ROWS], dots[ROWS];
        EACH_ROW(i) {
            // Lanes are neighbours in c, so their loads are too; rstd and dot are the row's.
            uint row = image * tokens + ROW(t, i, end), at = row * cols + c;
            g[i] = LOAD_AS(FORMAT, dy, at);
            v[i] = LOAD(x, at);
            s[i] = rstd[row];
            dots[i] = dot_[row];
            if (ACC) sum[i] = LOAD(dx, at);
        }
        EACH_ROW(i) {
            vec4 d = s[i] * (e * g[i] - v[i] * dots[i]);
            STORE(dx, (image * tokens + ROW(t, i, end)) * cols + c, ACC ? sum[i] + d : d);
            vec4 once = ONCE(t, i, end, g[i]);
            norm += once * v[i] * s[i];
            total += once;
        }
    }
    // One row of partial sums a chunk.
    uint to = (image * gl_NumWorkGroups.y + gl_WorkGroupID.y) * cols + c;
    STORE(norm_part, to, norm);
    STORE(dy_part, to, total);
}
