// SPDX-License-Identifier: MIT
// Gate forward: adds a branch to the residual stream, each channel weighed by the image's own gate (adaLN-Zero, Peebles
//           and Xie, arXiv 2212.09748).
// Computes: y[b,t,c] = r[b,t,c] + g[b,c] x[b,t,c]
// Shapes:   y, r, x (B,T,C); g (B,C), rows ldG floats apart
// Push:     images = B, tokens = T, width = C, ldG, offG (floats), chunk (tokens a workgroup), chunks = ceil(T / chunk),
//           blocks = ceil(C / (LOCAL VEC))
// Spec:     0 LOCAL invocations; 1 ITEMS, unused; 2 VEC: floats at a time, see vec.glsl; 3 ROWS at a time, see rows.glsl
// Dispatch: images chunks blocks workgroups; one invocation owns VEC channels of one image for a chunk of tokens
// Precision: fp32
// CPU:      kernels/ref/gate.go Gate
// Backward: gate_bwd.comp, then sumtokens.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "rows.glsl"
#include "vec.glsl"

WRITES(0, y)
READS(1, r)
READS(2, x)
READS(3, g)
layout(push_constant) uniform Push { uint images, tokens, width, ldG, offG, chunk, chunks, blocks; };
layout(constant_id = 2) const uint VEC = 4;
layout(constant_id = 3) const uint ROWS = 4;

void main() {
    uint part = group_index() / blocks, image = part / chunks; // part: number of the chunk among all images' chunks
    uint c = block_first(group_index() % blocks, VEC, VEC);
    if (image >= images || c >= width) return;

    vec4 gate = LOAD(g, image * ldG + offG + c); // one load for the whole chunk
    uint first = part % chunks * chunk, end = min(first + chunk, tokens);
    for (uint t = first; t < end; t += ROWS) {
        vec4 old[ROWS], v[ROWS];
        EACH_ROW(i) {
            uint at = (image * tokens + ROW(t, i, end)) * width + c;
            old[i] = LOAD(r, at);
            v[i] = LOAD(x, at);
        }
        EACH_ROW(i) STORE(y, (image * tokens + ROW(t, i, end)) * width + c, old[i] + gate * v[i]);
    }
}
