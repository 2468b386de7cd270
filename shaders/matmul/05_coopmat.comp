// SPDX-License-Identifier: MIT
// Matrix product on matrix units: each subgroup multiplies fragments, the workgroup stages tiles for them in half precision.
// Differs from the rung below by who multiplies: the matrix unit (tensor cores), 16 x 16 x 16 products an instruction, which
// leaves the lanes nothing but to feed it: prefetch in vec4, convert to fp16, stage in shared memory. The rung for GPUs in fp16.
// Computes, Shapes, Push: see matmul.glsl
// Spec:     0 LOCAL = SUBGROUPS * subgroup size; 1 to 8, 11 to 14 see matmul.glsl; 15 16 17 CM, CN, CK fragment, a shape that the
//           device has; 18 19 20 BM, BN, BK tile; 21 SUBGROUPS; 22 COLUMNS: subgroups along N. BM * BK and BN * BK are
//           multiples of 4 * LOCAL; a subgroup's part of the tile is a multiple of the fragment
// Dispatch: (ceil(N/BN), ceil(M/BM), batch), LOCAL invocations in whole subgroups
// Precision: operands rounded to fp16 as they are staged, sums fp32 in an order that the device chooses
// Requires: VK_KHR_cooperative_matrix f16 x f16 + f32, shaderFloat16, vulkanMemoryModel, full subgroups
// CPU:      kernels/ref/matmul.go MatMul
// Backward: dA = dC op(B)ᵀ and dB = op(A)ᵀ dC: this shader with other constants
// glslc: sid --target-env=vulkan1.3
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#pragma use_vulkan_memory_model
#include "matmul.glsl"
#include "quads.glsl"

layout(constant_id = 15) const uint CM = 16;
layout(constant_id = 16) const uint CN = 16;
layout(constant_id = 17) const uint CK = 16;
layout(constant_id = 18) const uint BM = 64;
layout(constant_id = 19) const uint BN = 64;
layout(constant_id = 20) const uint BK = 32;
layout(constant_id = 21) const uint SUBGROUPS = 4;
layout(constant_id = 22) const uint COLUMNS = 2;
layout(local_size_x_id = 0) in;

const uint ROWS = SUBGROUPS / COLUMNS;                        // subgroups along M
const uint WM = BM / ROWS, WN = BN / COLUMNS;                 // a subgroup's part of the tile
const uint FM = WM / CM, FN = WN / CN;                        // in fragments
const uint LOADS_A = BM * BK / (4 * gl_WorkGroupSize.x);      // fours that an invocation carries a slice
const uint LOADS_B = BN * BK / (4 * gl_WorkGroupSize.x);

// Staged rows are rows of memory: op(A)'s, or A's where it is transposed, which the fragment's layout then says; likewise B.
// They are kept, and counted, in fours: an invocation writes what it loaded at once. SKEW, 16 bytes, keeps rows aligned as
// coopMatLoad wants them and spreads a column over the banks.
const uint SKEW = 2;
const uint QUADS_A = (TRANS_A ? BM : BK) / 4, QUADS_B = (TRANS_B ? BK : BN) / 4; // fours a row
const uint STRIDE_A = QUADS_A + SKEW, STRIDE_B = QUADS_B + SKEW;
shared f16vec4 As[(TRANS_A ? BK : BM) * STRIDE_A];
shared f16vec4 Bs[(TRANS_B ? BN : BK) * STRIDE_B];
shared float Cs[SUBGROUPS * CM * CN]; // a fragment of C for each subgroup

// The e-th four of a slice: where it lies in op(A) from (m0, k0) on.
uvec2 place_a(uint e) {
    uint row = e / QUADS_A, column = e % QUADS_A * 4;
    return TRANS_A ? uvec2(column, row) : uvec2(row, column);
}
uvec2 place_b(uint e) {
    uint row = e / QUADS_B, column = e % QUADS_B * 4;
    return TRANS_B ? uvec2(column, row) : uvec2(row, column);
}

void main() {
    uint id = gl_LocalInvocationIndex, local = gl_WorkGroupSize.x;
    uvec2 tile = tile_of_c();
    uint m0 = tile.y * BM, n0 = tile.x * BN;
    uint wm = gl_SubgroupID / COLUMNS * WM, wn = gl_SubgroupID % COLUMNS * WN; // the subgroup's part

    coopmat<float, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator> acc[FM * FN];
    [[unroll]] for (uint i = 0; i < FM * FN; i++) acc[i] = coopmat<float, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator>(0.0);

    // Sums of op(A)'s rows are its product with ones, which the subgroups of the tile's first columns make.
    bool sum_rows = ROW_SUM != 0 && n0 == 0 && wn == 0;
    coopmat<float16_t, gl_ScopeSubgroup, CK, CN, gl_MatrixUseB> ones = coopmat<float16_t, gl_ScopeSubgroup, CK, CN, gl_MatrixUseB>(1.0);
    coopmat<float, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator> of_row[FM];
    [[unroll]] for (uint i = 0; i < FM; i++) of_row[i] = coopmat<float, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator>(0.0);

    vec4 next_a[LOADS_A], next_b[LOADS_B];
    [[unroll]] for (uint s = 0; s < LOADS_A; s++) { uvec2 p = place_a(s * local + id); next_a[s] = load_a(m0 + p.x, p.y); }
    [[unroll]] for (uint s = 0; s < LOADS_B; s++) { uvec2 p = place_b(s * local + id); next_b[s] = load_b(p.x, n0 + p.y); }

    for (uint k0 = 0; k0 < K; k0 += BK) {
        // All of As and Bs is read before this slice overwrites it.
        barrier();
        [[unroll]] for (uint s = 0; s < LOADS_A; s++) {
            uint e = s * local + id;
            As[e / QUADS_A * STRIDE_A + e % QUADS_A] = f16vec4(next_a[s]);
        }
        [[unroll]] for (uint s = 0; s < LOADS_B; s++) {
            uint e = s * local + id;
            Bs[e / QUADS_B * STRIDE_B + e % QUADS_B] = f16vec4(next_b[s]);
        }
        // All of As and Bs is written before any of it is read.
        barrier();
        // On their way while the matrix unit works; past the last slice these are zeros that nobody uses.
        [[unroll]] for (uint s = 0; s < LOADS_A; s++) {
            uvec2 p = place_a(s * local + id);
            next_a[s] = load_a(m0 + p.x, k0 + BK + p.y);
        }
        [[unroll]] for (uint s = 0; s < LOADS_B; s++) {
            uvec2 p = place_b(s * local + id);
            next_b[s] = load_b(k0 + BK + p.x, n0 + p.y);
        }
        // Not unrolled here: a GPU's compiler does, and a CPU driver would compile for a minute.
        for (uint k = 0; k < BK; k += CK) {
            coopmat<float16_t, gl_ScopeSubgroup, CM, CK, gl_MatrixUseA> x[FM];
            [[unroll]] for (uint i = 0; i < FM; i++) {
                uint m = wm + i * CM;
                if (TRANS_A) coopMatLoad(x[i], As, k * STRIDE_A + m / 4, STRIDE_A, gl_CooperativeMatrixLayoutColumnMajor);
                else coopMatLoad(x[i], As, m * STRIDE_A + k / 4, STRIDE_A, gl_CooperativeMatrixLayoutRowMajor);
            }
            if (sum_rows) [[unroll]] for (uint i = 0; i < FM; i++) of_row[i] = coopMatMulAdd(x[i], ones, of_row[i]);
            // A column of fragments at a time: one of B serves all of A's.
            [[unroll]] for (uint j = 0; j < FN; j++) {
                coopmat<float16_t, gl_ScopeSubgroup, CK, CN, gl_MatrixUseB> y;
                uint n = wn + j * CN;
                if (TRANS_B) coopMatLoad(y, Bs, n * STRIDE_B + k / 4, STRIDE_B, gl_CooperativeMatrixLayoutColumnMajor);
                else coopMatLoad(y, Bs, k * STRIDE_B + n / 4, STRIDE_B, gl_CooperativeMatrixLayoutRowMajor);
                [[unroll]] for (uint i = 0; i < FM; i++) acc[i * FN + j] = coopMatMulAdd(x[i], y, acc[i * FN + j]);
            }
        }
    }

    // Which lane holds which element of a fragment is the device's secret, so bias, residual and C are added on the way
    // through shared memory. A tile without them that lies inside C goes straight to it.
    bool plain = !BIAS && !RESIDUAL && !ACCUMULATE && SWIGLU == 0 && VEC_C && !HALF_C && m0 + BM <= M && n0 + BN <= N;
    uint mine = gl_SubgroupID * CM * CN; // the subgroup's part of Cs
    [[unroll]] for (uint i = 0; i < FM; i++) [[unroll]] for (uint j = 0; j < FN; j++) {
        uint m = m0 + wm + i * CM, n = n0 + wn + j * CN;
        if (plain) {
            coopMatStore(acc[i * FN + j], c, index_c(m, n), ldC, gl_CooperativeMatrixLayoutRowMajor);
            continue;
        }
        // The subgroup has read the fragment before this one.
        controlBarrier(gl_ScopeSubgroup, gl_ScopeSubgroup, gl_StorageSemanticsShared, gl_SemanticsAcquireRelease);
        coopMatStore(acc[i * FN + j], Cs, mine, CN, gl_CooperativeMatrixLayoutRowMajor);
        // All lanes have written their part of the fragment before any reads it.
        controlBarrier(gl_ScopeSubgroup, gl_ScopeSubgroup, gl_StorageSemanticsShared, gl_SemanticsAcquireRelease);
        for (uint e = 4 * gl_SubgroupInvocationID; e < CM * CN; e += 4 * gl_SubgroupSize) {
            uint s = mine + e;
            store4(m + e / CN, n + e % CN, vec4(Cs[s], Cs[s + 1], Cs[s + 2], Cs[s + 3]));
        }
    }
    // By all subgroups, as barriers want to be met, though few have anything to tell.
    if (ROW_SUM != 0) [[unroll]] for (uint i = 0; i < FM; i++) {
        // The subgroup has read the fragment before this one.
        controlBarrier(gl_ScopeSubgroup, gl_ScopeSubgroup, gl_StorageSemanticsShared, gl_SemanticsAcquireRelease);
        coopMatStore(of_row[i], Cs, mine, CN, gl_CooperativeMatrixLayoutRowMajor);
        // All lanes have written their part of the fragment before any reads it.
        controlBarrier(gl_ScopeSubgroup, gl_ScopeSubgroup, gl_StorageSemanticsShared, gl_SemanticsAcquireRelease);
        if (sum_rows)
            for (uint r = gl_SubgroupInvocationID; r < CM; r += gl_SubgroupSize) store_sum(m0 + wm + i * CM + r, Cs[mine + r * CN]);
    }
}
