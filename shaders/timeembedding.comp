// SPDX-License-Identifier: MIT
// TimeEmbedding: sines and cosines of a flow time at geometrically falling frequencies.
// Computes: e[b] = [sin a_0 .. | cos a_0 ..] (or [cos | sin] if COS_FIRST), a_i = scale tau[b] maxPeriod^(-i/half)
// Shapes:   tau (B), e (B, 2 half)
// Push:     images = B, half, scale, power[k] = maxPeriod^(-2^k/half) as a sum of two floats
// Spec:     0 LOCAL invocations; 1 ITEMS, unused; 2 COS_FIRST
// Dispatch: ceil(B half / LOCAL) workgroups; one invocation owns one (b,i)
// Precision: angles of 1000 rad as sums of two floats (one float would leave 3e-5 rad): 2e-7 absolute
// CPU:      kernels/ref/timeembedding.go TimeEmbedding
// Backward: none: tau is drawn, not learned
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "math.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Emb { float e[]; };
layout(set = 0, binding = 1, std430) readonly buffer Tau { float tau[]; };
layout(push_constant) uniform Push { uint images, half_; float scale; float unused; vec2 power[12]; };
layout(constant_id = 2) const bool COS_FIRST = false;

// a b as high + low exactly (Dekker 1971): factors are split into halves of 12 bits, whose products are exact.
vec2 two_product(float a, float b) {
    const float SPLIT = 4097.0; // 2^12 + 1
    precise float ta = SPLIT * a, tb = SPLIT * b;
    precise float ah = ta - (ta - a), bh = tb - (tb - b);
    precise float al = a - ah, bl = b - bh;
    precise float p = a * b;
    precise float err = ((ah * bh - p) + ah * bl + al * bh) + al * bl;
    return vec2(p, err);
}

// The product of two numbers that are each a sum (high, low).
vec2 multiply(vec2 a, vec2 b) {
    vec2 p = two_product(a.x, b.x);
    precise float low = p.y + (a.x * b.y + a.y * b.x);
    precise float high = p.x + low;
    precise float rest = low - (high - p.x);
    return vec2(high, rest);
}

void main() {
    uint at = block_first(group_index(), 1);
    if (at >= images * half_) return;
    uint b = at / half_, i = at % half_;

    vec2 angle = two_product(scale, tau[b]);
    for (uint k = 0; i >> k != 0; k++) // the frequency: a product over the set bits of i
        if ((i >> k & 1) != 0) angle = multiply(angle, power[k]);

    // sin(h + l) = sin h + l cos h for l below 1e-4.
    vec2 sc = sincos_(angle.x);
    sc = vec2(sc.x + angle.y * sc.y, sc.y - angle.y * sc.x);
    uint row = b * 2 * half_;
    e[row + i + (COS_FIRST ? half_ : 0)] = sc.x;
    e[row + i + (COS_FIRST ? 0 : half_)] = sc.y;
}
