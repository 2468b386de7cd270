// SPDX-License-Identifier: MIT
//
// Purpose: how the narrow rung of attention reads a row of D floats: each lane of a subgroup of 8 loads four at a time, as two
//          words of 64 bits, and broadcasts them.
// Needs:   attention.glsl and words.glsl, and the push block's T

#ifndef NARROW_GLSL
#define NARROW_GLSL

const uint LANES = 8;
const uint PARTS = (D + 31) / 32;  // loads of a lane, which make 32 floats of a row together
#define EACH_LANE(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7)

// Which four floats of a row a lane loads in part i: those from 4 (8 i + lane) on, or the row's last, which nobody uses.
uint quad_of(uint lane, uint i) { return min(LANES * i + lane, D / 4 - 1); }

// First float of a token's head.
uint at(uint token, uint ld, uint off) { return off + (gl_WorkGroupID.z * T + token) * ld + gl_WorkGroupID.y * D; }

#endif
