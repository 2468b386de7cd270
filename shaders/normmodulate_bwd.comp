// SPDX-License-Identifier: MIT
// NormModulate backward, second pass: dx, and the two sums of which the other gradients are made, over a chunk of tokens.
// Computes: dx = rstd * (w (1 + scale) dy - x dot);
//           normPart[b,chunk,c] = sum over the chunk of dy x rstd;  dyPart[b,chunk,c] = sum over the chunk of dy
// Shapes:   dx, dy, x (B,T,C); w (C); scale (B,C), rows ldScale floats apart; rstd, dot (B,T);
//           normPart, dyPart (B,chunks,C), taken further by normmodulate_bwd_sum.comp
// Push:     tokens = T, cols = C, ldScale, offScale (floats), chunk (tokens a workgroup)
// Spec:     0 LOCAL invocations; 1 ACC: add to what dx holds
// Dispatch: (ceil(C/LOCAL), ceil(T/chunk), B); one invocation owns one column of one chunk of one image
// Precision: fp32 storage and sums
// CPU:      kernels/ref/normmodulate.go NormModulateBackward
// Forward:  normmodulate_fwd.comp; the first pass is normmodulate_bwd_dot.comp
#version 450

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) buffer DX { float dx[]; };
layout(set = 0, binding = 1, std430) writeonly buffer NormPart { float norm_part[]; };
layout(set = 0, binding = 2, std430) writeonly buffer DYPart { float dy_part[]; };
layout(set = 0, binding = 3, std430) readonly buffer DY { float dy[]; };
layout(set = 0, binding = 4, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 5, std430) readonly buffer W { float w[]; };
layout(set = 0, binding = 6, std430) readonly buffer Scale { float scale[]; };
layout(set = 0, binding = 7, std430) readonly buffer Rstd { float rstd[]; };
layout(set = 0, binding = 8, std430) readonly buffer Dot { float dot_[]; };
layout(push_constant) uniform Push { uint tokens, cols, ldScale, offScale, chunk; };
layout(constant_id = 1) const bool ACC = false;

void main() {
    uint c = gl_GlobalInvocationID.x, image = gl_WorkGroupID.z;
    uint first = gl_WorkGroupID.y * chunk, end = min(first + chunk, tokens);
    if (c >= cols) return;

    // The image's weight of this column, and both sums, stay in registers all the way down the chunk.
    float e = w[c] * (1.0 + scale[offScale + image * ldScale + c]), norm = 0.0, total = 0.0;
    for (uint t = first; t < end; t++) {
        // Lanes are neighbours in c, so their loads are too; rstd and dot are the row's.
        uint row = image * tokens + t, at = row * cols + c;
        float g = dy[at], v = x[at], s = rstd[row];
        float d = s * (e * g - v * dot_[row]);
        dx[at] = ACC ? dx[at] + d : d;
        norm += g * v * s;
        total += g;
    }
    // One row of partial sums a chunk.
    uint to = (image * gl_NumWorkGroups.y + gl_WorkGroupID.y) * cols + c;
    norm_part[to] = norm;
    dy_part[to] = total;
}
