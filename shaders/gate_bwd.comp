// SPDX-License-Identifier: MIT
// Gate backward: the branch's gradient, and the gate's summed over a chunk of tokens. The residual's is dy itself.
// Computes: dx[b,t,c] = (ACC ? dx : 0) + g[b,c] dy[b,t,c];  dgPart[b,chunk,c] = sum over the chunk's tokens of dy x
// Shapes:   dx, dy, x (B,T,C); g (B,C), rows ldG floats apart; dgPart (B,chunks,C), summed over chunks by sumtokens.comp
// Push:     images = B, tokens = T, width = C, ldG, offG (floats), chunk (tokens a workgroup), chunks = ceil(T / chunk),
//           blocks = ceil(C / LOCAL)
// Spec:     0 LOCAL invocations; 1 ITEMS, unused; 2 ACC: add to what dx holds
// Dispatch: images chunks blocks workgroups; one invocation owns one channel of one image for a chunk of tokens
// Precision: fp32
// CPU:      kernels/ref/gate.go GateBackward
// Forward:  gate_fwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(set = 0, binding = 0, std430) buffer DX { float dx[]; };
layout(set = 0, binding = 1, std430) writeonly buffer DGPart { float dg_part[]; };
layout(set = 0, binding = 2, std430) readonly buffer DY { float dy[]; };
layout(set = 0, binding = 3, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 4, std430) readonly buffer G { float g[]; };
layout(push_constant) uniform Push { uint images, tokens, width, ldG, offG, chunk, chunks, blocks; };
layout(constant_id = 2) const bool ACC = false;

void main() {
    uint part = group_index() / blocks, image = part / chunks; // part: number of the chunk among all images' chunks
    uint c = block_first(group_index() % blocks, 1);
    if (image >= images || c >= width) return;

    // The gate and the sum of its gradient stay in registers all the way down the chunk.
    float gate = g[image * ldG + offG + c], dgate = 0.0;
    uint first = part % chunks * chunk, end = min(first + chunk, tokens);
    uint at = (image * tokens + first) * width + c;
    for (uint t = first; t < end; t++, at += width) {
        float d = dy[at];
        dx[at] = ACC ? dx[at] + gate * d : gate * d;
        dgate += d * x[at];
    }
    dg_part[part * width + c] = dgate;
}
