// SPDX-License-Identifier: MIT
// Derf and RoPE in one pass, for queries and keys: the error function of an affine map a channel, then pairs turned.
// Computes: n = erf(alpha x + shift);  (y0, y1) = (n0 cos - n1 sin, n1 cos + n0 sin)
// Shapes:   x, y (tokens = B*T, H, D), tokens ldX, ldY elements apart; alpha, shift (H*D); cos, sin (T, D/2)
// Push:     rows = B*T, T, pairs = H*D/2, half = D/2, ldX, offX, ldY, offY (elements), chunk (tokens a workgroup)
// Spec:     0 LOCAL invocations; 1 INTERLEAVED: neighbours (2j, 2j+1) are pair j (the paper);
//           else (i, i+D/4) inside each half of D (the post); 2 VEC: floats at a time, see vec.glsl;
//           3, 4 FORMAT of y, x in memory: 0 fp32; 1 fp16, 2 bf16, then VEC is 4; 5 ROWS at a time, see rows.glsl
// Dispatch: (ceil(pairs/(LOCAL VEC)), ceil(rows/chunk)); one invocation owns VEC pairs of one head for a chunk of tokens
// Precision: fp32; y rounded where it is in halves; tables computed in fp64 by the host
// CPU:      kernels/ref/derfrope.go DerfRoPE
// Backward: derfrope_bwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#define RESTRICT restrict
#include "math.glsl"
#include "precision.glsl"
#include "rows.glsl"
#include "vec.glsl"

layout(local_size_x_id = 0) in;
WRITES_AS(0, y)
READS_AS(1, x)
READS(2, alpha)
READS(3, shift)
READS(4, cos_)
READS(5, sin_)
layout(push_constant) uniform Push { uint rows, T, pairs, half_, ldX, offX, ldY, offY, chunk; };
layout(constant_id = 1) const bool INTERLEAVED = false;
layout(constant_id = 2) const uint VEC = 4;
layout(constant_id = 3) const uint FORMAT_Y = 0;
layout(constant_id = 4) const uint FORMAT_X = 0;
layout(constant_id = 5) const uint ROWS = 4;
#include "pairs.glsl"

vec4 normalised(vec4 alpha, vec4 v, vec4 shift) {
    vec4 u = alpha * v + shift;
    return vec4(erf_(u.x), erf_(u.y), erf_(u.z), erf_(u.w));
}

void main() {
    uint pair = VEC * gl_GlobalInvocationID.x;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    if (pair >= pairs) return;

    // Column j of the tables; a and b, the first pair's two channels.
    uint j = pair % half_, quarter = half_ / 2;
    uint a = pair / half_ * 2 * half_ + (INTERLEAVED ? 2 * j : (j < quarter ? j : j + quarter)), b = a + (INTERLEAVED ? 1 : quarter);
    // Their slopes and shifts stay in registers all the way down the chunk.
    mat2x4 al = LOAD_PAIRS(alpha, 0), sh = LOAD_PAIRS(shift, 0);

    uint t = first % T;  // counted up in the loop: a division a token would cost more
    for (uint r = first; r < end; r += ROWS) {
        vec4 c[ROWS], s[ROWS];
        mat2x4 v[ROWS];
        EACH_ROW(i) {
            c[i] = LOAD(cos_, t * half_ + j);
            s[i] = LOAD(sin_, t * half_ + j);
            v[i] = LOAD_PAIRS_AS(FORMAT_X, x, offX + ROW(r, i, end) * ldX);
            if (r + i + 1 < end) t = t + 1 == T ? 0 : t + 1;
        }
        EACH_ROW(i) {
            // Both floats of a pair are this invocation's: what was normalised never goes to memory.
            vec4 n0 = normalised(al[0], v[i][0], sh[0]), n1 = normalised(al[1], v[i][1], sh[1]);
            uint to = offY + ROW(r, i, end) * ldY;
            STORE_PAIRS_AS(FORMAT_Y, y, to, n0 * c[i] - n1 * s[i], n1 * c[i] + n0 * s[i]);
        }
    }
}
