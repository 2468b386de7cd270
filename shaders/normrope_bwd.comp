// SPDX-License-Identifier: MIT
// NormRoPE backward: dx, and dw summed over a chunk of tokens of one head.
// Computes: g = dy turned back: (g0, g1) = (dy0 cos + dy1 sin, dy1 cos - dy0 sin);  dx = rstd (w g - x rstd delta / D);
//           dwPart[chunk,h,c] = sum over the chunk's tokens of g x rstd
//           with delta = sum of dy y over the row, which is rstd times RMSNorm's sum of g w x: the rotation that was taken
//           out of y is put into g, and the sum of products is the same
// Shapes:   dx, dy, x (tokens = B*T, H, D), tokens ldDX, ldDY, ldX elements apart; w (D); rstd, delta (tokens, H);
//           cos, sin (T, D/2); dwPart (chunks, H, D), summed over chunks and heads by colsum.comp
// Push:     rows = B*T, T, pairs = H*D/2, half = D/2, ldDX, offDX, ldDY, offDY, ldX, offX (elements), chunk (tokens a workgroup)
// Spec:     0 LOCAL invocations; 1 ACC: add to what dx holds; 2 INTERLEAVED: as normrope_fwd.comp;
//           3 VEC: floats at a time, see vec.glsl; 4, 5, 6 FORMAT of dx, dy, x in memory: 0 fp32; 1 fp16, 2 bf16, then VEC is 4;
//           7 ROWS at a time, see rows.glsl
// Dispatch: (ceil(pairs/(LOCAL VEC)), ceil(rows/chunk)); one invocation owns VEC pairs of one head for a chunk of tokens
// Precision: fp32; dx rounded where it is in halves
// CPU:      kernels/ref/normrope.go NormRoPEBackward
// Forward:  normrope_fwd.comp; delta is attention/delta.comp's
#version 450
#extension GL_GOOGLE_include_directive : require
#define RESTRICT restrict
#include "precision.glsl"
#include "rows.glsl"
#include "vec.glsl"

layout(local_size_x_id = 0) in;
UPDATES_AS(0, dx)
WRITES(1, dw_part)
READS_AS(2, dy)
READS_AS(3, x)
READS(4, w)
layout(set = 0, binding = 5, std430) readonly buffer Rstd { float rstd[]; };
layout(set = 0, binding = 6, std430) readonly buffer Delta { float delta[]; };
READS(7, cos_)
READS(8, sin_)
layout(push_constant) uniform Push { uint rows, T, pairs, half_, ldDX, offDX, ldDY, offDY, ldX, offX, chunk; };
layout(constant_id = 1) const bool ACC = false;
layout(constant_id = 2) const bool INTERLEAVED = false;
layout(constant_id = 3) const uint VEC = 4;
layout(constant_id = 4) const uint FORMAT_DX = 0;
layout(constant_id = 5) const uint FORMAT_DY = 0;
layout(constant_id = 6) const uint FORMAT_X = 0;
layout(constant_id = 7) const uint ROWS = 2;
#include "pairs.glsl"

void main() {
    uint pair = VEC * gl_GlobalInvocationID.x;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    if (pair >= pairs) return;

    // Column j of the tables; a and b, the first pair's two floats within a head, which begins `base` floats into the token.
    uint head = pair / half_, j = pair % half_, quarter = half_ / 2, heads = pairs / half_, base = head * 2 * half_;
    uint a = INTERLEAVED ? 2 * j : (j < quarter ? j : j + quarter), b = a + (INTERLEAVED ? 1 : quarter);

    // The pairs' weights and the sums of their gradients stay in registers all the way down the chunk.
    mat2x4 weight = LOAD_PAIRS(w, 0);
    vec4 dw0 = vec4(0), dw1 = vec4(0);
    uint t = first % T;  // counted up in the loop: a division a token would cost more
    for (uint r = first; r < end; r += ROWS) {
        vec4 c[ROWS], s[ROWS];
        mat2x4 y[ROWS], v[ROWS], sum[ROWS];
        float scale[ROWS], d[ROWS];
        EACH_ROW(i) {
            uint token = ROW(r, i, end), row = token * heads + head;
            c[i] = LOAD(cos_, t * half_ + j);
            s[i] = LOAD(sin_, t * half_ + j);
            y[i] = LOAD_PAIRS_AS(FORMAT_DY, dy, offDY + token * ldDY + base);
            v[i] = LOAD_PAIRS_AS(FORMAT_X, x, offX + token * ldX + base);
            scale[i] = rstd[row];
            d[i] = delta[row];
            if (ACC) sum[i] = LOAD_PAIRS_AS(FORMAT_DX, dx, offDX + token * ldDX + base);
            if (r + i + 1 < end) t = t + 1 == T ? 0 : t + 1;
        }
        EACH_ROW(i) {
            vec4 g0 = y[i][0] * c[i] + y[i][1] * s[i], g1 = y[i][1] * c[i] - y[i][0] * s[i];
            float mean = d[i] * scale[i] / float(2 * half_);
            mat2x4 grad = mat2x4(scale[i] * (weight[0] * g0 - v[i][0] * mean), scale[i] * (weight[1] * g1 - v[i][1] * mean));
            if (ACC) grad += sum[i];
            uint to = offDX + ROW(r, i, end) * ldDX + base;
            STORE_PAIRS_AS(FORMAT_DX, dx, to, grad[0], grad[1]);
            dw0 += ONCE(r, i, end, g0) * v[i][0] * scale[i];
            dw1 += ONCE(r, i, end, g1) * v[i][1] * scale[i];
        }
    }
    // One row of partial sums a chunk.
    uint part = gl_WorkGroupID.y * pairs * 2 + base;
    STORE_PAIRS(dw_part, part, dw0, dw1);
}
