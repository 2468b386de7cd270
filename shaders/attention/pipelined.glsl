// SPDX-License-Identifier: MIT
//
// Purpose: what the pipelined rung's three shaders share beyond coopmat.glsl: tiles that are loaded as they lie in memory, while the
// tile before is at work, and converted when they are staged; each tile staged in the order in which products read it. Before it,
// TURNS says how many of the two tiles products read on their side.
// Spec: see 04_pipelined_fwd.comp

#extension GL_KHR_shader_subgroup_vote : require
#include "coopmat.glsl"

layout(constant_id = 9) const bool TURN = true;

const uint LOCAL = gl_WorkGroupSize.x;
const uint LANES = LOCAL / SUBGROUPS;
const float LOG2_E = 1.44269504;

// An invocation moves blocks of four rows by four columns: in registers they turn over without a word to anybody.
const uint BLOCKS = TILE / 4 * QUADS;                  // in a tile
const uint EACH = (BLOCKS + LOCAL - 1) / LOCAL;        // for an invocation
const uint OWN = (CM * QUADS + LANES - 1) / LANES;     // fours of the subgroup's own rows, for a lane
const uint TW = TILE / 4 + 2;                          // fours from a turned row, which is a column, to the next; spread as W is

// What is on its way: an invocation's blocks of the next two tiles, and before that a lane's share of two own tensors.
uvec4 next[2 * 4 * EACH], owned[2 * OWN];

// Tiles on their side: columns are rows, so that a product that sums over the tile's rows finds its terms side by side.
shared f16vec4 turned[TURN ? TURNS * 4 * QUADS * TW : 2];

// Four numbers as they lie in memory, and as the matrix unit takes them; columns past D are zeros.
#define RAW(name, i) (halves_##name ? uvec4(half_##name[i], 0, 0) : floatBitsToUint(name[i]))
f16vec4 operand(uvec4 raw, bool halves, uint quad) {
    f16vec4 x = halves ? f16vec4(unpackFloat2x16(raw.x), unpackFloat2x16(raw.y)) : f16vec4(uintBitsToFloat(raw));
    return QUADS == D / 4 || quad < D / 4 ? x : f16vec4(0.0);
}

// First four of the head's first token; tokens are ld / 4 fours apart.
uint head_at(uint T, uint ld, uint off) { return (off + gl_WorkGroupID.z * T * ld + gl_WorkGroupID.y * D) / 4; }

// Where block u of an invocation lies in a tile: its first row and its four of columns. Neighbours share rows by fours, which
// keeps reads whole and spreads writes, in either order, over the banks. Where the blocks of one tile do not go around, those of
// tile 1 begin where those of tile 0 end.
uint block(uint tile, uint u) { return u * LOCAL + (gl_LocalInvocationIndex + tile * (BLOCKS % LOCAL)) % LOCAL; }
bool there(uint b) { return BLOCKS % LOCAL == 0 || b < BLOCKS; }
uint block_row(uint b) { return 16 * (b / 4 / QUADS) + 4 * (b % 4); }
uint block_quad(uint b) { return b / 4 % QUADS; }

// Loads an invocation's blocks of tile 0 or 1, which begins with token `first`. Rows past the last token are that token again: no
// load hangs on data, and nothing waits for one before it is staged.
#define FETCH(tile, name, first, ld, off) FRAGMENTS(u, EACH) { \
    uint b = block(tile, u), token = (first) + block_row(b), i = head_at(T, ld, off) + min(block_quad(b), D / 4 - 1); \
    if (there(b)) [[unroll]] for (uint r = 0; r < 4; r++) \
        next[4 * (tile * EACH + u) + r] = RAW(name, i + min(token + r, T - 1) * (ld / 4)); \
}

// Row r of a block.
f16vec4 fetched(uint tile, bool halves, uint u, uint r) {
    return operand(next[4 * (tile * EACH + u) + r], halves, block_quad(block(tile, u)));
}

// Stages them as they lie, TILE rows for each tile; and on their side. halves: what they were loaded from lies in halves.
void stage(uint tile, bool halves) {
    FRAGMENTS(u, EACH) {
        uint b = block(tile, u);
        if (there(b)) [[unroll]] for (uint r = 0; r < 4; r++)
            staged[(tile * TILE + block_row(b) + r) * W + block_quad(b)] = fetched(tile, halves, u, r);
    }
}
void stage_turned(uint tile, bool halves) {
    FRAGMENTS(u, EACH) {
        uint b = block(tile, u);
        f16vec4 x = fetched(tile, halves, u, 0), y = fetched(tile, halves, u, 1), z = fetched(tile, halves, u, 2),
            w = fetched(tile, halves, u, 3);
        if (there(b)) [[unroll]] for (uint c = 0; c < 4; c++)
            turned[(4 * (tile % TURNS * QUADS + block_quad(b)) + c) * TW + block_row(b) / 4] = f16vec4(x[c], y[c], z[c], w[c]);
    }
}

// The same for the subgroup's own rows, which nobody else sees: CM of them from token `first` on, of one tensor or another.
#define FETCH_OWN(which, name, first, ld, off) FRAGMENTS(u, OWN) { \
    uint n = u * LANES + gl_SubgroupInvocationID, token = min((first) + mine() + n / QUADS, T - 1); \
    owned[which * OWN + u] = RAW(name, head_at(T, ld, off) + token * (ld / 4) + min(n % QUADS, D / 4 - 1)); \
}
void stage_own(uint which, bool halves) {
    // What was staged in their place has been read.
    meet();
    FRAGMENTS(u, OWN) {
        uint n = u * LANES + gl_SubgroupInvocationID;
        if (CM * QUADS % LANES == 0 || n < CM * QUADS)
            staged[(mine() + n / QUADS) * W + n % QUADS] = operand(owned[which * OWN + u], halves, n % QUADS);
    }
    // All of them are written before any is read.
    meet();
}

// The right operand of a product that sums over a tile's rows: from row `row` of the tile and column `column` on.
HALVES_B down(uint tile, uint row, uint column) {
    HALVES_B x;
    if (TURN) coopMatLoad(x, turned, (4 * (tile % TURNS) * QUADS + column) * TW + row / 4, TW, gl_CooperativeMatrixLayoutColumnMajor);
    else coopMatLoad(x, staged, (tile * TILE + row) * W + column / 4, W, gl_CooperativeMatrixLayoutRowMajor);
    return x;
}
