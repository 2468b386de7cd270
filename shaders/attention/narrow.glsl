// SPDX-License-Identifier: MIT
//
// Purpose: how the narrow rung of attention reads a row of D floats: each lane of a subgroup of 8 or 16 loads four at a time, as
//          two words of 64 bits, and broadcasts them.
// Spec:    4 LANES: 8 or 16
// Needs:   attention.glsl and words.glsl, and the push block's T

#ifndef NARROW_GLSL
#define NARROW_GLSL

layout(constant_id = 4) const uint LANES = 8;
const uint PARTS = (D + 4 * LANES - 1) / (4 * LANES);  // loads of a lane, which make 4 LANES floats of a row together
#define EACH_LANE(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8) f(9) f(10) f(11) f(12) f(13) f(14) f(15)

// Which four floats of a row a lane loads in part i: those from 4 (LANES i + lane) on, or the row's last, which nobody uses.
uint quad_of(uint lane, uint i) { return min(LANES * i + lane, D / 4 - 1); }

// Whether floats f to f+3 of a row, f = 4 (LANES i + l), are lane l's in part i.
bool has(uint i, uint l) { return l < LANES && 4 * (LANES * i + l) < D; }

// First float of a token's head.
uint at(uint token, uint ld, uint off) { return off + (gl_WorkGroupID.z * T + token) * ld + gl_WorkGroupID.y * D; }

#endif
