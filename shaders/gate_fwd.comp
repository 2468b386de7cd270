// SPDX-License-Identifier: MIT
// Gate forward: adds a branch to the residual stream, each channel weighed by the image's own gate (adaLN-Zero, Peebles
//           and Xie, arXiv 2212.09748).
// Computes: y[b,t,c] = r[b,t,c] + g[b,c] x[b,t,c]
// Shapes:   y, r, x (B,T,C); g (B,C), rows ldG floats apart
// Push:     images = B, tokens = T, width = C, ldG, offG (floats), chunk (tokens a workgroup), chunks = ceil(T / chunk),
//           blocks = ceil(C / LOCAL)
// Spec:     0 LOCAL invocations; 1 ITEMS, unused
// Dispatch: images chunks blocks workgroups; one invocation owns one channel of one image for a chunk of tokens
// Precision: fp32
// CPU:      kernels/ref/gate.go Gate
// Backward: gate_bwd.comp, then sumtokens.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 1, std430) readonly buffer R { float r[]; };
layout(set = 0, binding = 2, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 3, std430) readonly buffer G { float g[]; };
layout(push_constant) uniform Push { uint images, tokens, width, ldG, offG, chunk, chunks, blocks; };

void main() {
    uint part = group_index() / blocks, image = part / chunks; // part: number of the chunk among all images' chunks
    uint c = block_first(group_index() % blocks, 1);
    if (image >= images || c >= width) return;

    float gate = g[image * ldG + offG + c]; // one load for the whole chunk
    uint first = part % chunks * chunk, end = min(first + chunk, tokens);
    uint at = (image * tokens + first) * width + c;
    for (uint t = first; t < end; t++, at += width)
        y[at] = r[at] + gate * x[at];
}
