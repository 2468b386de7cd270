// SPDX-License-Identifier: MIT
// DerfRoPE backward: dx, and dalpha and dshift summed over a chunk of tokens.
// Computes: (h0, h1) = (dy0 cos + dy1 sin, dy1 cos - dy0 sin);  g = h * 2/sqrt(pi) * exp(-(alpha x + shift)^2);
//           dx = alpha g;  dalphaPart[chunk,c] = sum of g x, dshiftPart[chunk,c] = sum of g over the chunk's tokens
// Shapes:   dx, dy, x (tokens = B*T, H, D), tokens ldDX, ldDY, ldX elements apart; alpha, shift (H*D); cos, sin (T, D/2);
//           dalphaPart, dshiftPart (chunks, H*D), summed over chunks by colsum.comp
// Push:     rows = B*T, T, pairs = H*D/2, half = D/2, ldDX, offDX, ldDY, offDY, ldX, offX (elements), chunk (tokens a workgroup)
// Spec:     0 LOCAL invocations; 1 ACC: add to what dx holds; 2 INTERLEAVED: as derfrope_fwd.comp; 3 VEC: floats at a time, see
//           vec.glsl; 4, 5, 6 FORMAT of dx, dy, x in memory: 0 fp32; 1 fp16, 2 bf16, then VEC is 4; 7 ROWS at a time, see rows.glsl
// Dispatch: (ceil(pairs/(LOCAL VEC)), ceil(rows/chunk)); one invocation owns VEC pairs of one head for a chunk of tokens
// Precision: fp32; dx rounded where it is in halves
// CPU:      kernels/ref/derfrope.go DerfRoPEBackward
// Forward:  derfrope_fwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#define RESTRICT restrict
#include "math.glsl"
#include "precision.glsl"
#include "rows.glsl"
#include "vec.glsl"

layout(local_size_x_id = 0) in;
UPDATES_AS(0, dx)
WRITES(1, dalpha_part)
WRITES(2, dshift_part)
READS_AS(3, dy)
READS_AS(4, x)
READS(5, alpha)
READS(6, shift)
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

// The slope of erf at 0; erf'(u) is this times exp(-u^2).
const float TWO_OVER_SQRT_PI = 1.1283791670955126;

// erf'(alpha v + shift)
vec4 slope(vec4 alpha, vec4 v, vec4 shift) {
    vec4 u = alpha * v + shift, w = -u * u;
    return vec4(exp_(w.x), exp_(w.y), exp_(w.z), exp_(w.w));
}

void main() {
    uint pair = VEC * gl_GlobalInvocationID.x;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    if (pair >= pairs) return;

    // Column j of the tables; a and b, the first pair's two channels.
    uint j = pair % half_, quarter = half_ / 2;
    uint a = pair / half_ * 2 * half_ + (INTERLEAVED ? 2 * j : (j < quarter ? j : j + quarter)), b = a + (INTERLEAVED ? 1 : quarter);

    // Both channels' slopes and shifts, and the sums of their gradients, stay in registers all the way down the chunk.
    mat2x4 al = LOAD_PAIRS(alpha, 0), sh = LOAD_PAIRS(shift, 0), dalpha = mat2x4(0), dshift = mat2x4(0);
    uint t = first % T;  // counted up in the loop: a division a token would cost more
    for (uint r = first; r < end; r += ROWS) {
        vec4 c[ROWS], s[ROWS];
        mat2x4 d[ROWS], v[ROWS], sum[ROWS];
        EACH_ROW(i) {
            uint row = ROW(r, i, end);
            c[i] = LOAD(cos_, t * half_ + j);
            s[i] = LOAD(sin_, t * half_ + j);
            d[i] = LOAD_PAIRS_AS(FORMAT_DY, dy, offDY + row * ldDY);
            v[i] = LOAD_PAIRS_AS(FORMAT_X, x, offX + row * ldX);
            if (ACC) sum[i] = LOAD_PAIRS_AS(FORMAT_DX, dx, offDX + row * ldDX);
            if (r + i + 1 < end) t = t + 1 == T ? 0 : t + 1;
        }
        EACH_ROW(i) {
            vec4 g0 = (d[i][0] * c[i] + d[i][1] * s[i]) * TWO_OVER_SQRT_PI * slope(al[0], v[i][0], sh[0]);
            vec4 g1 = (d[i][1] * c[i] - d[i][0] * s[i]) * TWO_OVER_SQRT_PI * slope(al[1], v[i][1], sh[1]);
            mat2x4 grad = mat2x4(al[0] * g0, al[1] * g1);
            if (ACC) grad = sum[i] + grad;
            uint to = offDX + ROW(r, i, end) * ldDX;
            STORE_PAIRS_AS(FORMAT_DX, dx, to, grad[0], grad[1]);
            g0 = ONCE(r, i, end, g0);
            g1 = ONCE(r, i, end, g1);
            dalpha += mat2x4(g0 * v[i][0], g1 * v[i][1]);
            dshift += mat2x4(g0, g1);
        }
    }
    // One row of partial sums a chunk.
    uint part = gl_WorkGroupID.y * pairs * 2;
    STORE_PAIRS(dalpha_part, part, dalpha[0], dalpha[1]);
    STORE_PAIRS(dshift_part, part, dshift[0], dshift[1]);
}
