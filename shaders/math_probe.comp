// SPDX-License-Identifier: MIT
// Probe of math.glsl and philox.glsl: one function of either, on many inputs. For tests only.
// Computes: y[e] = f(x[e]), f by FUNC: 0 exp_, 1 log_, 2 sin and 3 cos of sincos_, 4 sin and 5 cos of sincospi_, 6 erf_,
//           7 sigmoid_; 8: the words x[4e..] as Philox counters, the words of the key as push constants
// Shapes:   x, y flat, count words (FUNC 8: 4 count)
// Push:     count, key0, key1
// Spec:     0 LOCAL invocations; 1 ITEMS an invocation; 2 FUNC
// Dispatch: ceil(count / (LOCAL ITEMS)) workgroups
// Precision: what is measured
// CPU:      Go's math package; kernels/ref/philox.go Philox
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#define STEP_BINDING 2
#include "common.glsl"
#include "step.glsl"
#include "philox.glsl"

layout(set = 0, binding = 0, std430) writeonly buffer Y { uint y[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { uint x[]; };
layout(push_constant) uniform Push { uint count, key0, key1; };
layout(constant_id = 1) const uint ITEMS = 4;
layout(constant_id = 2) const uint FUNC = 0;

// FUNC is a specialization constant: one case is left of the switch.
float f(float v) {
    switch (FUNC) {
    case 0: return exp_(v);
    case 1: return log_(v);
    case 2: return sincos_(v).x;
    case 3: return sincos_(v).y;
    case 4: return sincospi_(v).x;
    case 5: return sincospi_(v).y;
    case 6: return erf_(v);
    default: return sigmoid_(v);
    }
}

void main() {
    uint block = group_index();
    for (uint e = block_first(block, ITEMS), end = block_end(block, ITEMS, count); e < end; e += gl_WorkGroupSize.x) {
        // Floats travel as words, so that NaN and denormal bits arrive as they left.
        if (FUNC < 8) {
            y[e] = floatBitsToUint(f(uintBitsToFloat(x[e])));
        } else {
            // count is of counters here, four words each.
            uvec4 w = philox(uvec4(x[4 * e], x[4 * e + 1], x[4 * e + 2], x[4 * e + 3]), uvec2(key0, key1));
            for (uint c = 0; c < 4; c++) y[4 * e + c] = w[c];
        }
    }
}
