// SPDX-License-Identifier: MIT
// Gate backward: the branch's gradient, and the gate's summed over a chunk of tokens. The residual's is dy itself.
// Computes: dx[b,t,c] = (ACC ? dx : 0) + g[b,c] dy[b,t,c];  dgPart[b,chunk,c] = sum over the chunk's tokens of dy x
// Shapes:   dx, dy, x (B,T,C); g (B,C), rows ldG floats apart; dgPart (B,chunks,C), summed over chunks by sumtokens.comp
// Push:     images = B, tokens = T, width = C, ldG, offG (floats), chunk (tokens a workgroup), chunks = ceil(T / chunk),
//           blocks = ceil(C / (LOCAL VEC))
// Spec:     0 LOCAL invocations; 1 ITEMS, unused; 2 ACC: add to what dx holds; 3 VEC: floats at a time, see vec.glsl;
//           4 ROWS at a time, see rows.glsl
// Dispatch: images chunks blocks workgroups; one invocation owns VEC channels of one image for a chunk of tokens
// Precision: fp32
// CPU:      kernels/ref/gate.go GateBackward
// Forward:  gate_fwd.comp
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#define RESTRICT restrict
#include "rows.glsl"
#include "vec.glsl"

UPDATES(0, dx)
WRITES(1, dg_part)
READS(2, dy)
READS(3, x)
READS(4, g)
layout(push_constant) uniform Push { uint images, tokens, width, ldG, offG, chunk, chunks, blocks; };
layout(constant_id = 2) const bool ACC = false;
layout(constant_id = 3) const uint VEC = 4;
layout(constant_id = 4) const uint ROWS = 4;

void main() {
    uint part = group_index() / blocks, image = part / chunks; // part: number of the chunk among all images' chunks
    uint c = block_first(group_index() % blocks, VEC, VEC);
    if (image >= images || c >= width) return;

    // The gate and the sum of its gradient stay in registers all the way down the chunk.
    vec4 gate = LOAD(g, image * ldG + offG + c), dgate = vec4(0);
    uint first = part % chunks * chunk, end = min(first + chunk, tokens);
    for (uint t = first; t < end; t += ROWS) {
        vec4 d[ROWS], v[ROWS], sum[ROWS];
        EACH_ROW(i) {
            uint at = (image * tokens + ROW(t, i, end)) * width + c;
            d[i] = LOAD(dy, at);
            v[i] = LOAD(x, at);
            if (ACC) sum[i] = LOAD(dx, at);
        }
        EACH_ROW(i) {
            STORE(dx, (image * tokens + ROW(t, i, end)) * width + c, ACC ? sum[i] + gate * d[i] : gate * d[i]);
            dgate += ONCE(t, i, end, d[i]) * v[i];
        }
    }
    STORE(dg_part, part * width + c, dgate);
}
