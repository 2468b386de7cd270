// SPDX-License-Identifier: MIT
// Rotary position embedding in two dimensions: turn pairs of a head's floats by an angle that depends on the token.
// Computes: (y0, y1) = (x0 cos - x1 sin, x1 cos + x0 sin); INVERSE turns back, which is also the gradient
// Shapes:   x, y (tokens = B*T, H, D), tokens ldX, ldY floats apart, y may be x; cos, sin (T, D/2)
//           the first half of D turns by one axis' position, the second half by the other's: see kernels/rope.go
// Push:     rows = B*T, T, pairs = H*D/2, half = D/2, ldX, offX, ldY, offY (floats), chunk (tokens a workgroup)
// Spec:     0 LOCAL invocations; 1 INVERSE; 2 INTERLEAVED: neighbours (2j, 2j+1) are pair j (the paper);
//           else (i, i+D/4) inside each half of D are pair i of that half (the post)
// Dispatch: (ceil(pairs/LOCAL), ceil(rows/chunk)); one invocation owns one pair of one head for a chunk of tokens
// Precision: fp32; tables computed in fp64 by the host
// CPU:      kernels/ref/rope.go RoPE
// Backward: this shader, INVERSE
#version 450

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 2, std430) readonly buffer Cos { float cos_[]; };
layout(set = 0, binding = 3, std430) readonly buffer Sin { float sin_[]; };
layout(push_constant) uniform Push { uint rows, T, pairs, half_, ldX, offX, ldY, offY, chunk; };
layout(constant_id = 1) const bool INVERSE = false;
layout(constant_id = 2) const bool INTERLEAVED = false;

void main() {
    uint pair = gl_GlobalInvocationID.x;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, rows);
    if (pair >= pairs) return;

    // Column j of the tables; a and b, the pair's two floats within a token.
    uint head = pair / half_, j = pair % half_, quarter = half_ / 2;
    uint a = head * 2 * half_ + (INTERLEAVED ? 2 * j : (j / quarter) * half_ + j % quarter);
    uint b = a + (INTERLEAVED ? 1 : quarter);

    uint t = first % T;  // counted up in the loop: a division a token would cost more
    for (uint r = first; r < end; r++) {
        float c = cos_[t * half_ + j], s = INVERSE ? -sin_[t * half_ + j] : sin_[t * half_ + j];
        float x0 = x[offX + r * ldX + a], x1 = x[offX + r * ldX + b];
        y[offY + r * ldY + a] = x0 * c - x1 * s;
        y[offY + r * ldY + b] = x1 * c + x0 * s;
        t = t + 1 == T ? 0 : t + 1;
    }
}
