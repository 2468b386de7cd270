// SPDX-License-Identifier: MIT
//
// Purpose: what the cooperative matrix rung's three shaders share: fragments, the rows that are staged for them, and which lane
// sees to which row. Before it, SW says how many vec4 of fp32 shared memory a shader needs for each of the workgroup's rows.
// Spec: see 03_coopmat_fwd.comp

#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#pragma use_vulkan_memory_model
#include "attention.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 3) const uint CM = 16;
layout(constant_id = 4) const uint CN = 16;
layout(constant_id = 5) const uint CK = 16;
layout(constant_id = 6) const uint SUBGROUPS = 4;
layout(constant_id = 7) const uint TILE = 32;
layout(constant_id = 8) const bool UNROLL = true;

const uint ROWS = SUBGROUPS * CM;                    // the workgroup's own rows, CM to a subgroup
const uint PARTS = gl_WorkGroupSize.x / ROWS;        // lanes of a subgroup that share a row
const uint PAD = CN > CK ? CN : CK;                  // D is a column of one product and the sum of another
const uint QUADS = (D + PAD - 1) / PAD * PAD / 4;    // fours of halves in a row of D, zeros at its end included
const uint FK = QUADS * 4 / CK, FN = QUADS * 4 / CN; // fragments to a row where D is summed over, and where it is not
// Sixteen bytes more keep rows aligned as coopMatLoad wants them and spread a column over the banks.
const uint W = QUADS + 2;                            // fours from a staged row to the next
const uint PW = TILE / 4 + 2;                        // and of weights

// Two tiles of TILE rows; before the loop, the workgroup's own rows.
shared f16vec4 staged[(ROWS > 2 * TILE ? ROWS : 2 * TILE) * W];
shared vec4 scratch[ROWS * SW];

#define HALVES_A coopmat<float16_t, gl_ScopeSubgroup, CM, CK, gl_MatrixUseA>
#define HALVES_B coopmat<float16_t, gl_ScopeSubgroup, CK, CN, gl_MatrixUseB>
#define HALVES coopmat<float16_t, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator>
#define SUMS coopmat<float, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator>

// A loop over fragments: unrolled for a GPU, which has no arrays of them; for a CPU driver, whose compiler would take half a minute, not,
// since it does not know that `zero` is 0: main sets it to T >> 31.
uint zero;
#define FRAGMENTS(f, count) [[unroll]] for (uint f = 0; f < (UNROLL ? count : count + zero); f++)

// A fragment of staged rows, from a row and a column (of halves) on: the left operand, the right one, the right one transposed.
HALVES_A left(uint row, uint column) {
    HALVES_A x;
    coopMatLoad(x, staged, row * W + column / 4, W, gl_CooperativeMatrixLayoutRowMajor);
    return x;
}
HALVES_B right(uint row, uint column) {
    HALVES_B x;
    coopMatLoad(x, staged, row * W + column / 4, W, gl_CooperativeMatrixLayoutRowMajor);
    return x;
}
HALVES_B right_transposed(uint row, uint column) {
    HALVES_B x;
    coopMatLoad(x, staged, row * W + column / 4, W, gl_CooperativeMatrixLayoutColumnMajor);
    return x;
}

// What the subgroup's lanes have put into shared memory is there for its others; what they have read may be overwritten.
void meet() {
    // Each caller says which of the two it is.
    controlBarrier(gl_ScopeSubgroup, gl_ScopeSubgroup, gl_StorageSemanticsShared, gl_SemanticsAcquireRelease);
}

// A subgroup's rows and lanes: PARTS lanes share a row, each has every PARTS-th four of its columns.
uint mine() { return gl_SubgroupID * CM; }
uint row() { return mine() + gl_SubgroupInvocationID % CM; }
uint part() { return gl_SubgroupInvocationID / CM; }

// Which lane holds which element of a fragment is the device's secret. But it is the same for all fragments of one type: one
// whose columns are all alike carries a number for each row to where that row's elements are.
void put_row(float x) {
    // From 0 on, not from part() on, since such a loop would not be unrolled, nor what is around it.
    [[unroll]] for (uint u = 0; u < CN / 4; u += PARTS)
        if (u + part() < CN / 4) scratch[row() * SW + u + part()] = vec4(x);
}
SUMS rows_put() {
    SUMS s;
    coopMatLoad(s, scratch, mine() * SW, SW, gl_CooperativeMatrixLayoutRowMajor);
    return s;
}
SUMS each_row(float x) {
    // The scratch rows that this overwrites have been read.
    meet();
    put_row(x);
    // All rows are written before any is read.
    meet();
    return rows_put();
}

// Puts a fragment where lanes can read it: row r from scratch[r * SW] on.
void spread(SUMS s) {
    // The fragment before this one has been read.
    meet();
    coopMatStore(s, scratch, mine() * SW, SW, gl_CooperativeMatrixLayoutRowMajor);
    // All of it is written before any is read.
    meet();
}
