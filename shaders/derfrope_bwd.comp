// SPDX-License-Identifier: MIT
// DerfRoPE backward: dx, and dalpha and dshift summed over a chunk of tokens.
// Computes: (h0, h1) = (dy0 cos + dy1 sin, dy1 cos - dy0 sin);  g = h * 2/sqrt(pi) * exp(-(alpha x + shift)^2);
//           dx = alpha g;  dalphaPart[chunk,c] = sum of g x, dshiftPart[chunk,c] = sum of g over the chunk's tokens
// Shapes:   dx, dy, x (tokens = B*T, H, D), tokens ldDX, ldDY, ldX floats apart; alpha, shift (H*D); cos, sin (T, D/2);
//           dalphaPart, dshiftPart (chunks, H*D), summed over chunks by colsum.comp
// Push:     rows = B*T, T, pairs = H*D/2, half = D/2, ldDX, offDX, ldDY, offDY, ldX, offX (floats), chunk (tokens a workgroup)
// Spec:     0 LOCAL invocations; 1 ACC: add to what dx holds; 2 INTERLEAVED: as derfrope_fwd.comp
// Dispatch: (ceil(pairs/LOCAL), ceil(rows/chunk)); one invocation owns one pair of one head for a chunk of tokens
// Precision: fp32
// CPU:      kernels/ref/derfrope.go DerfRoPEBackward
// Forward:  derfrope_fwd.comp
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
layout(set = 0, binding = 7, std430) readonly buffer Cos { float cos_[]; };
layout(set = 0, binding = 8, std430) readonly buffer Sin { float sin_[]; };
layout(push_constant) uniform Push { uint rows, T, pairs, half_, ldDX, offDX, ldDY, offDY, ldX, offX, chunk; };
layout(constant_id = 1) const bool ACC = false;
layout(constant_id = 2) const bool INTERLEAVED = false;

// The slope of erf at 0; erf'(u) is this times exp(-u^2).
const float TWO_OVER_SQRT_PI = 1.1283791670955126;

void main() {
    uint pair = gl_GlobalInvocationID.x;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    if (pair >= pairs) return;

    // Column j of the tables; a and b, the pair's two channels.
    uint j = pair % half_, quarter = half_ / 2;
    uint a = pair / half_ * 2 * half_ + (INTERLEAVED ? 2 * j : (j < quarter ? j : j + quarter)), b = a + (INTERLEAVED ? 1 : quarter);

    // Both channels' slope and shift, and the sums of their gradients, stay in registers all the way down the chunk.
    vec2 al = vec2(alpha[a], alpha[b]), sh = vec2(shift[a], shift[b]), dalpha = vec2(0.0), dshift = vec2(0.0);
    uint t = first % T;  // counted up in the loop: a division a token would cost more
    for (uint r = first; r < end; r++) {
        float c = cos_[t * half_ + j], s = sin_[t * half_ + j];
        uint from = offDY + r * ldDY, at = offX + r * ldX, to = offDX + r * ldDX;
        vec2 d = vec2(dy[from + a], dy[from + b]), v = vec2(x[at + a], x[at + b]), u = al * v + sh;
        vec2 g = (d * c + vec2(d.y, -d.x) * s) * TWO_OVER_SQRT_PI * vec2(exp_(-u.x * u.x), exp_(-u.y * u.y));
        dx[to + a] = ACC ? dx[to + a] + al.x * g.x : al.x * g.x;
        dx[to + b] = ACC ? dx[to + b] + al.y * g.y : al.y * g.y;
        dalpha += g * v;
        dshift += g;
        t = t + 1 == T ? 0 : t + 1;
    }
    // One row of partial sums a chunk.
    uint part = gl_WorkGroupID.y * pairs * 2;
    dalpha_part[part + a] = dalpha.x;
    dalpha_part[part + b] = dalpha.y;
    dshift_part[part + a] = dshift.x;
    dshift_part[part + b] = dshift.y;
}
