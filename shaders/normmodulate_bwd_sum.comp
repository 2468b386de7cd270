// SPDX-License-Identifier: MIT
// NormModulate backward, third pass: an image's chunks summed into its gradients of scale and shift, and its part of dw.
// Computes: with S = sum over chunks of normPart[b,chunk,c]: dscale[b,c] = w[c] S, dwPart[b,c] = (1 + scale[b,c]) S;
//           dshift[b,c] = sum over chunks of dyPart[b,chunk,c]; ACC adds to dscale and dshift
// Shapes:   normPart, dyPart (B,chunks,C); w (C); scale, dscale, dshift (B,C), rows ldScale, ldDScale, ldDShift floats
//           apart; dwPart (B,C), summed over images by colsum.comp
// Push:     chunks, cols = C, ldDScale, offDScale, ldDShift, offDShift, ldScale, offScale (floats)
// Spec:     0 LOCAL invocations; 1 ACC; 2 VEC: floats at a time, see vec.glsl
// Dispatch: (ceil(C/(LOCAL VEC)), B); one invocation owns VEC columns of one image
// Precision: fp32
// CPU:      kernels/ref/normmodulate.go NormModulateBackward
// Forward:  normmodulate_fwd.comp; the second pass is normmodulate_bwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "vec.glsl"

layout(local_size_x_id = 0) in;
UPDATES(0, dscale)
UPDATES(1, dshift)
WRITES(2, dw_part)
READS(3, norm_part)
READS(4, dy_part)
READS(5, w)
READS(6, scale)
layout(push_constant) uniform Push { uint chunks, cols, ldDScale, offDScale, ldDShift, offDShift, ldScale, offScale; };
layout(constant_id = 1) const bool ACC = false;
layout(constant_id = 2) const uint VEC = 4;

void main() {
    uint c = VEC * gl_GlobalInvocationID.x, image = gl_WorkGroupID.y;
    if (c >= cols) return;

    vec4 norm = vec4(0), total = vec4(0);
    for (uint i = 0, at = image * chunks * cols + c; i < chunks; i++, at += cols) {
        norm += LOAD(norm_part, at);
        total += LOAD(dy_part, at);
    }
    STORE(dw_part, image * cols + c, norm * (1.0 + LOAD(scale, offScale + image * ldScale + c)));
    // dscale and dshift may be views of one tensor, that of all the block's modulations.
    uint a = offDScale + image * ldDScale + c, b = offDShift + image * ldDShift + c;
    STORE(dscale, a, ACC ? LOAD(dscale, a) + norm * LOAD(w, c) : norm * LOAD(w, c));
    STORE(dshift, b, ACC ? LOAD(dshift, b) + total : total);
}
