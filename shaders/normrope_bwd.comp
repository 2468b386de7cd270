// SPDX-License-Identifier: MIT
// NormRoPE backward: dx, and dw summed over a chunk of tokens of one head.
// Computes: g = dy turned back: (g0, g1) = (dy0 cos + dy1 sin, dy1 cos - dy0 sin);  dx = rstd (w g - x rstd delta / D);
//           dwPart[chunk,h,c] = sum over the chunk's tokens of g x rstd
//           with delta = sum of dy y over the row, which is rstd times RMSNorm's sum of g w x: the rotation that was taken
//           out of y is put into g, and the sum of products is the same
// Shapes:   dx, dy, x (tokens = B*T, H, D), tokens ldDX, ldDY, ldX floats apart; w (D); rstd, delta (tokens, H);
//           cos, sin (T, D/2); dwPart (chunks, H, D), summed over chunks and heads by colsum.comp
// Push:     rows = B*T, T, pairs = H*D/2, half = D/2, ldDX, offDX, ldDY, offDY, ldX, offX (floats), chunk (tokens a workgroup)
// Spec:     0 LOCAL invocations; 1 ACC: add to what dx holds; 2 INTERLEAVED: as normrope_fwd.comp
// Dispatch: (ceil(pairs/LOCAL), ceil(rows/chunk)); one invocation owns one pair of one head for a chunk of tokens
// Precision: fp32 storage and sums
// CPU:      kernels/ref/normrope.go NormRoPEBackward
// Forward:  normrope_fwd.comp; delta is attention/delta.comp's
#version 450

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) buffer DX { float dx[]; };
layout(set = 0, binding = 1, std430) writeonly buffer DWPart { float dw_part[]; };
layout(set = 0, binding = 2, std430) readonly buffer DY { float dy[]; };
layout(set = 0, binding = 3, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 4, std430) readonly buffer W { float w[]; };
layout(set = 0, binding = 5, std430) readonly buffer Rstd { float rstd[]; };
layout(set = 0, binding = 6, std430) readonly buffer Delta { float delta[]; };
layout(set = 0, binding = 7, std430) readonly buffer Cos { float cos_[]; };
layout(set = 0, binding = 8, std430) readonly buffer Sin { float sin_[]; };
layout(push_constant) uniform Push { uint rows, T, pairs, half_, ldDX, offDX, ldDY, offDY, ldX, offX, chunk; };
layout(constant_id = 1) const bool ACC = false;
layout(constant_id = 2) const bool INTERLEAVED = false;

void main() {
    uint pair = gl_GlobalInvocationID.x;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    if (pair >= pairs) return;

    // Column j of the tables; a and b, the pair's two floats within a head, which begins `base` floats into the token.
    uint head = pair / half_, j = pair % half_, quarter = half_ / 2, heads = pairs / half_, base = head * 2 * half_;
    uint a = INTERLEAVED ? 2 * j : (j < quarter ? j : j + quarter), b = a + (INTERLEAVED ? 1 : quarter);

    // The pair's weights and the sums of their gradients stay in registers all the way down the chunk.
    float w0 = w[a], w1 = w[b], dw0 = 0.0, dw1 = 0.0;
    uint t = first % T;  // counted up in the loop: a division a token would cost more
    for (uint r = first; r < end; r++) {
        uint from = offDY + r * ldDY + base, at = offX + r * ldX + base, to = offDX + r * ldDX + base, row = r * heads + head;
        float c = cos_[t * half_ + j], s = sin_[t * half_ + j], y0 = dy[from + a], y1 = dy[from + b];
        float g0 = y0 * c + y1 * s, g1 = y1 * c - y0 * s;
        float x0 = x[at + a], x1 = x[at + b], scale = rstd[row], d = delta[row] * scale / float(2 * half_);
        float dx0 = scale * (w0 * g0 - x0 * d), dx1 = scale * (w1 * g1 - x1 * d);
        dx[to + a] = ACC ? dx[to + a] + dx0 : dx0;
        dx[to + b] = ACC ? dx[to + b] + dx1 : dx1;
        dw0 += g0 * x0 * scale;
        dw1 += g1 * x1 * scale;
        t = t + 1 == T ? 0 : t + 1;
    }
    // One row of partial sums a chunk.
    uint part = gl_WorkGroupID.y * pairs * 2 + base;
    dw_part[part + a] = dw0;
    dw_part[part + b] = dw1;
}
