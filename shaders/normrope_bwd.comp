// SPDX-License-Identifier: MIT
// NormRoPE backward: dx, and dw summed over a chunk of tokens of one head.
// Computes: g = dy turned back: (g0, g1) = (dy0 cos + dy1 sin, dy1 cos - dy0 sin);  dx = rstd (w g - x rstd delta / D);
//           dwPart[chunk,h,c] = sum over the chunk's tokens of g x rstd
//           with delta = sum of dy y over the row, which is rstd times RMSNorm's sum of g w x: the rotation that was taken
//           out of y is put into g, and the sum of products is the same
// Shapes:   dx, dy, x (tokens = B*T, H, D), tokens ldDX, ldDY, ldX floats apart; w (D); rstd, delta (tokens, H);
//           cos, sin (T, D/2); dwPart (chunks, H, D), summed over chunks and heads by colsum.comp
// Push:     rows = B*T, T, pairs = H*D/2, half = D/2, ldDX, offDX, ldDY, offDY, ldX, offX (floats), chunk (tokens a workgroup)
// Spec:     0 LOCAL invocations; 1 ACC: add to what dx holds; 2 INTERLEAVED: as normrope_fwd.comp;
//           3 VEC: floats at a time, see vec.glsl
// Dispatch: (ceil(pairs/(LOCAL VEC)), ceil(rows/chunk)); one invocation owns VEC pairs of one head for a chunk of tokens
// Precision: fp32 storage and sums
// CPU:      kernels/ref/normrope.go NormRoPEBackward
// Forward:  normrope_fwd.comp; delta is attention/delta.comp's
#version 450
#extension GL_GOOGLE_include_directive : require
#include "vec.glsl"

layout(local_size_x_id = 0) in;
UPDATES(0, dx)
WRITES(1, dw_part)
READS(2, dy)
READS(3, x)
READS(4, w)
layout(set = 0, binding = 5, std430) readonly buffer Rstd { float rstd[]; };
layout(set = 0, binding = 6, std430) readonly buffer Delta { float delta[]; };
READS(7, cos_)
READS(8, sin_)
layout(push_constant) uniform Push { uint rows, T, pairs, half_, ldDX, offDX, ldDY, offDY, ldX, offX, chunk; };
layout(constant_id = 1) const bool ACC = false;
layout(constant_id = 2) const bool INTERLEAVED = false;
layout(constant_id = 3) const uint VEC = 4;
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
    for (uint r = first; r < end; r++) {
        uint from = offDY + r * ldDY + base, at = offX + r * ldX + base, to = offDX + r * ldDX + base, row = r * heads + head;
        vec4 c = LOAD(cos_, t * half_ + j), s = LOAD(sin_, t * half_ + j);
        mat2x4 y = LOAD_PAIRS(dy, from), v = LOAD_PAIRS(x, at);
        vec4 g0 = y[0] * c + y[1] * s, g1 = y[1] * c - y[0] * s;
        float scale = rstd[row], d = delta[row] * scale / float(2 * half_);
        mat2x4 grad = mat2x4(scale * (weight[0] * g0 - v[0] * d), scale * (weight[1] * g1 - v[1] * d));
        if (ACC) grad += LOAD_PAIRS(dx, to);
        STORE_PAIRS(dx, to, grad[0], grad[1]);
        dw0 += g0 * v[0] * scale;
        dw1 += g1 * v[1] * scale;
        t = t + 1 == T ? 0 : t + 1;
    }
    // One row of partial sums a chunk.
    uint part = gl_WorkGroupID.y * pairs * 2 + base;
    STORE_PAIRS(dw_part, part, dw0, dw1);
}
