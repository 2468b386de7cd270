// SPDX-License-Identifier: MIT
// Derf and RoPE in one pass, for queries and keys: the error function of an affine map a channel, then pairs turned.
// Computes: n = erf(alpha x + shift);  (y0, y1) = (n0 cos - n1 sin, n1 cos + n0 sin)
// Shapes:   x, y (tokens = B*T, H, D), tokens ldX, ldY floats apart; alpha, shift (H*D); cos, sin (T, D/2)
// Push:     rows = B*T, T, pairs = H*D/2, half = D/2, ldX, offX, ldY, offY (floats), chunk (tokens a workgroup)
// Spec:     0 LOCAL invocations; 1 INTERLEAVED: neighbours (2j, 2j+1) are pair j (the paper);
//           else (i, i+D/4) inside each half of D (the post)
// Dispatch: (ceil(pairs/LOCAL), ceil(rows/chunk)); one invocation owns one pair of one head for a chunk of tokens
// Precision: fp32; tables computed in fp64 by the host
// CPU:      kernels/ref/derfrope.go DerfRoPE
// Backward: derfrope_bwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "math.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 2, std430) readonly buffer Alpha { float alpha[]; };
layout(set = 0, binding = 3, std430) readonly buffer Shift { float shift[]; };
layout(set = 0, binding = 4, std430) readonly buffer Cos { float cos_[]; };
layout(set = 0, binding = 5, std430) readonly buffer Sin { float sin_[]; };
layout(push_constant) uniform Push { uint rows, T, pairs, half_, ldX, offX, ldY, offY, chunk; };
layout(constant_id = 1) const bool INTERLEAVED = false;

void main() {
    uint pair = gl_GlobalInvocationID.x;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    if (pair >= pairs) return;

    // Column j of the tables; a and b, the pair's two channels.
    uint j = pair % half_, quarter = half_ / 2;
    uint a = pair / half_ * 2 * half_ + (INTERLEAVED ? 2 * j : (j < quarter ? j : j + quarter)), b = a + (INTERLEAVED ? 1 : quarter);
    // Their slopes and shifts stay in registers all the way down the chunk.
    float alpha0 = alpha[a], alpha1 = alpha[b], shift0 = shift[a], shift1 = shift[b];

    uint t = first % T;  // counted up in the loop: a division a token would cost more
    for (uint r = first; r < end; r++) {
        float c = cos_[t * half_ + j], s = sin_[t * half_ + j];
        uint at = offX + r * ldX, to = offY + r * ldY;
        float n0 = erf_(alpha0 * x[at + a] + shift0), n1 = erf_(alpha1 * x[at + b] + shift1);
        // Both floats of the pair are this invocation's: what was normalised never goes to memory.
        y[to + a] = n0 * c - n1 * s;
        y[to + b] = n1 * c + n0 * s;
        t = t + 1 == T ? 0 : t + 1;
    }
}
