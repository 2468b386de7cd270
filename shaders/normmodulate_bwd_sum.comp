// SPDX-License-Identifier: MIT
// NormModulate backward, third pass: an image's chunks summed into its gradients of scale and shift, and its part of dw.
// Computes: with S = sum over chunks of normPart[b,chunk,c]: dscale[b,c] = w[c] S, dwPart[b,c] = (1 + scale[b,c]) S;
//           dshift[b,c] = sum over chunks of dyPart[b,chunk,c]; ACC adds to dscale and dshift
// Shapes:   normPart, dyPart (B,chunks,C); w (C); scale, dscale, dshift (B,C), rows ldScale, ldDScale, ldDShift floats
//           apart; dwPart (B,C), summed over images by colsum.comp
// Push:     chunks, cols = C, ldDScale, offDScale, ldDShift, offDShift, ldScale, offScale (floats)
// Spec:     0 LOCAL invocations; 1 ACC
// Dispatch: (ceil(C/LOCAL), B); one invocation owns one column of one image
// Precision: fp32
// CPU:      kernels/ref/normmodulate.go NormModulateBackward
// Forward:  normmodulate_fwd.comp; the second pass is normmodulate_bwd.comp
#version 450

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) buffer DScale { float dscale[]; };
layout(set = 0, binding = 1, std430) buffer DShift { float dshift[]; };
layout(set = 0, binding = 2, std430) writeonly buffer DWPart { float dw_part[]; };
layout(set = 0, binding = 3, std430) readonly buffer NormPart { float norm_part[]; };
layout(set = 0, binding = 4, std430) readonly buffer DYPart { float dy_part[]; };
layout(set = 0, binding = 5, std430) readonly buffer W { float w[]; };
layout(set = 0, binding = 6, std430) readonly buffer Scale { float scale[]; };
layout(push_constant) uniform Push { uint chunks, cols, ldDScale, offDScale, ldDShift, offDShift, ldScale, offScale; };
layout(constant_id = 1) const bool ACC = false;

void main() {
    uint c = gl_GlobalInvocationID.x, image = gl_WorkGroupID.y;
    if (c >= cols) return;

    float norm = 0.0, total = 0.0;
    for (uint i = 0, at = image * chunks * cols + c; i < chunks; i++, at += cols) {
        norm += norm_part[at];
        total += dy_part[at];
    }
    dw_part[image * cols + c] = norm * (1.0 + scale[offScale + image * ldScale + c]);
    // dscale and dshift may be views of one tensor, that of all the block's modulations.
    uint a = offDScale + image * ldDScale + c, b = offDShift + image * ldDShift + c;
    dscale[a] = ACC ? dscale[a] + norm * w[c] : norm * w[c];
    dshift[b] = ACC ? dshift[b] + total : total;
}
