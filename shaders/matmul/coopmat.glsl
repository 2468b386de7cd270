// SPDX-License-Identifier: MIT
//
// Purpose: the body of the cooperative matrix rungs above 05, which define PER_ELEMENT where a function can be called for each
// element of a fragment, and BF16 where operands are rounded to that instead of fp16.
// Spec: see 06_prefetch.comp

#extension GL_EXT_control_flow_attributes : require
#ifdef BF16
#extension GL_EXT_bfloat16 : require
#else
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#endif
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
layout(constant_id = 23) const bool TURN = false;
layout(constant_id = 24) const bool UNROLL = true;
layout(constant_id = 25) const uint DIRECT = 0;
layout(local_size_x_id = 0) in;

#ifdef BF16
#define HALF bfloat16_t
#else
#define HALF float16_t
#endif
#define LEFT coopmat<HALF, gl_ScopeSubgroup, CM, CK, gl_MatrixUseA>
#define RIGHT coopmat<HALF, gl_ScopeSubgroup, CK, CN, gl_MatrixUseB>
#define HALVES coopmat<HALF, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator>
#define SUMS coopmat<float, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator>

// A statement for each of some fragments, or elements: unrolled for a GPU, whose registers have no index, in a loop for a CPU driver, whose
// compiler would take a minute otherwise. (One loop around the other, as in attention/coopmat.glsl, AMD's compiler does not unroll.)
#define EACH(f, count, statement) { \
    if (UNROLL) { [[unroll]] for (uint f = 0; f < count; f++) statement } \
    else { [[dont_unroll]] for (uint f = 0; f < count; f++) statement } }

const uint ROWS = SUBGROUPS / COLUMNS;                        // subgroups along M
const uint LANES = gl_WorkGroupSize.x / SUBGROUPS;            // of a subgroup, which the compiler then knows
const uint WM = BM / ROWS, WN = BN / COLUMNS;                 // a subgroup's part of the tile
const uint FM = WM / CM, FN = WN / CN;                        // in fragments
const uint LOADS_A = BM * BK / (4 * gl_WorkGroupSize.x);      // fours that an invocation carries a slice
const uint LOADS_B = BN * BK / (4 * gl_WorkGroupSize.x);

// Staged rows run along K where memory's do, or where they are turned; else they are memory's.
const bool TURN_A = TURN && TRANS_A, TURN_B = TURN && !TRANS_B;
const bool ALONG_A = !TRANS_A || TURN, ALONG_B = TRANS_B || TURN;
// They are kept, and counted, in fours of halves, two words. SKEW, 16 bytes, keeps rows aligned as coopMatLoad wants them and
// spreads a column over the banks.
const uint SKEW = 2;
const uint QUADS_A = (ALONG_A ? BK : BM) / 4, QUADS_B = (ALONG_B ? BK : BN) / 4; // fours a row
const uint STRIDE_A = QUADS_A + SKEW, STRIDE_B = QUADS_B + SKEW;
shared uvec2 As[(ALONG_A ? BM : BK) * STRIDE_A];
shared uvec2 Bs[(ALONG_B ? BN : BK) * STRIDE_B];
#ifndef PER_ELEMENT
shared float Cs[DIRECT == 2 && ROW_SUM == 0 ? 1 : SUBGROUPS * CM * CN]; // a fragment of C for each subgroup
#endif

// Where load s of an invocation lies in a slice, as (row of op(A) or column of op(B), k), by whether memory's rows run along K; and
// for a load that will be turned: four in a row are a block of 4 x 4, and blocks that are neighbours along K go to neighbouring
// lanes, whose writes then fall on different banks.
uvec2 place(uint s, const bool along, const bool turned, const uint quads) {
    uint local = gl_WorkGroupSize.x, id = gl_LocalInvocationIndex;
    if (turned) {
        uint block = s / 4 * local + id;
        return uvec2(block / (BK / 4) * 4, block % (BK / 4) * 4 + s % 4);
    }
    uint e = s * local + id;
    return along ? uvec2(e / quads, e % quads * 4) : uvec2(e % quads * 4, e / quads);
}
uvec2 place_a(uint s) { return place(s, !TRANS_A, TURN_A, QUADS_A); }
uvec2 place_b(uint s) { return place(s, TRANS_B, TURN_B, QUADS_B); }

// Four neighbours in memory from element (m,k) of op(A) on, as they lie there: floats, or in .xy halves. No load depends on a
// test: in place of what lies outside of A comes what lies inside, and what that gives is not stored or, along K, set to zero.
uvec4 fetch_a(uint m, uint k) {
    if (DIRECT != 2) m = min(m, TRANS_A && VEC_A ? M - 4 : M - 1);
    if (K_TAIL) k = min(k, !TRANS_A && VEC_A ? K - 4 : K - 1);
    uint i = index_a(m, k), last = TRANS_A ? M - 1 - m : K - 1 - k; // neighbours that there are
    if (HALF_A) return uvec4(a_halves[i / 4], 0, 0);
    if (VEC_A) return floatBitsToUint(a4[i / 4]);
    return floatBitsToUint(vec4(a[i], a[i + min(last, 1)], a[i + min(last, 2)], a[i + min(last, 3)]));
}
uvec4 fetch_b(uint n, uint k) {
    if (DIRECT != 2) n = min(n, !TRANS_B && VEC_B ? N - 4 : N - 1);
    if (K_TAIL) k = min(k, TRANS_B && VEC_B ? K - 4 : K - 1);
    uint i = index_b(k, n), last = TRANS_B ? K - 1 - k : N - 1 - n;
    if (HALF_B) return uvec4(b_halves[i / 4], 0, 0);
    if (VEC_B) return floatBitsToUint(b4[i / 4]);
    return floatBitsToUint(vec4(b[i], b[i + min(last, 1)], b[i + min(last, 2)], b[i + min(last, 3)]));
}

// What was loaded for k, with zeros past the last term of the sum: along K by element, or as a whole.
uvec4 terms(uvec4 words, uint k, const bool along, const bool vec) {
    if (!K_TAIL) return words;
    if (!along || vec) return k < K ? words : uvec4(0);
    return mix(uvec4(0), words, lessThan(k + uvec4(0, 1, 2, 3), uvec4(K)));
}

// Four elements as they are staged: as fp16 by the device's own conversion.
#ifdef BF16
uvec2 to_halves(vec4 v) { return pack_halves(2, v); }
#else
uvec2 to_halves(vec4 v) { return uvec2(packFloat2x16(f16vec2(v.xy)), packFloat2x16(f16vec2(v.zw))); }
#endif
uvec2 staged(uvec4 words, const bool half_) { return half_ ? words.xy : to_halves(uintBitsToFloat(words)); }

// Column c of four rows of four, as it is staged.
uvec2 column(uvec4 r0, uvec4 r1, uvec4 r2, uvec4 r3, const uint c, const bool half_) {
    if (!half_) return to_halves(uintBitsToFloat(uvec4(r0[c], r1[c], r2[c], r3[c])));
    uvec4 w = uvec4(r0[c / 2], r1[c / 2], r2[c / 2], r3[c / 2]);
    if (c % 2 == 0) return (w.xz & 0xffffu) | w.yw << 16;
    return w.xz >> 16 | (w.yw & 0xffff0000u);
}

#ifdef PER_ELEMENT
// Stores the element of a fragment that begins at (m,n) of C, and leaves the fragment as it is.
float store_element(const in uint row, const in uint column, const in float v, const in uint m, const in uint n) {
    if (m + row < M && n + column < N) store(m + row, n + column, v);
    return v;
}

// Stores a fragment of row sums, all of whose columns are alike.
float store_sum_element(const in uint row, const in uint column, const in float v, const in uint m) {
    if (column == 0) store_sum(m + row, v);
    return v;
}
#endif

// A fragment of C or of H in memory, from element i on.
SUMS load_c(uint i) {
    SUMS x;
    HALVES y;
    if (!HALF_C) {
        coopMatLoad(x, c, i, ldC, gl_CooperativeMatrixLayoutRowMajor);
        return x;
    }
    coopMatLoad(y, c_halves, i / 4, ldC / 4, gl_CooperativeMatrixLayoutRowMajor);
    return SUMS(y);
}
SUMS load_h(uint i) {
    SUMS x;
    HALVES y;
    if (!HALF_H) {
        coopMatLoad(x, h, i, ldH, gl_CooperativeMatrixLayoutRowMajor);
        return x;
    }
    coopMatLoad(y, h_halves, i / 4, ldH / 4, gl_CooperativeMatrixLayoutRowMajor);
    return SUMS(y);
}
void put_c(uint i, SUMS v) {
    if (HALF_C) coopMatStore(HALVES(v), c_halves, i / 4, ldC / 4, gl_CooperativeMatrixLayoutRowMajor);
    else coopMatStore(v, c, i, ldC, gl_CooperativeMatrixLayoutRowMajor);
}
void put_h(uint i, SUMS v) {
    if (HALF_H) coopMatStore(HALVES(v), h_halves, i / 4, ldH / 4, gl_CooperativeMatrixLayoutRowMajor);
    else coopMatStore(v, h, i, ldH, gl_CooperativeMatrixLayoutRowMajor);
}

// Stores a fragment that lies inside C from (m,n) on, as finish4 of quads.glsl does. Which lane holds which element is the device's
// secret, but it is the same for all fragments of one type: so what is added to this one is loaded as another.
void store_fragment(SUMS v, uint m, uint n) {
    uint to = index_c(m, n), at = index_h(m, n);
    SUMS x, y;
    if (BIAS) {
        coopMatLoad(x, bias, offBias + n, 0, gl_CooperativeMatrixLayoutRowMajor); // each row is the same
        v += x;
    }
    if (RESIDUAL) {
        coopMatLoad(x, residual, index_r(m, n), ldR, gl_CooperativeMatrixLayoutRowMajor);
        v += x;
    }
    if (ACCUMULATE) v += load_c(to);
    if (SWIGLU == 0 || SWIGLU == 1) put_c(to, v);
    if (SWIGLU == 1 || SWIGLU == 2) {
        x = load_c(to + toValue);
        // Not by way of HALVES: compilers may leave out two conversions that undo each other.
        if (HALF_C) EACH(e, v.length(), v[e] = rounded(vec4(v[e])).x;)
        EACH(e, v.length(), v[e] = swiglu(vec4(v[e]), vec4(x[e])).x;)
        put_h(at, v);
    }
    if (SWIGLU == 3) {
        x = load_h(at);
        y = load_h(at + toValue);
        vec4 dgate, dvalue;
        EACH(e, v.length(), {
            swiglu_gradients(vec4(v[e]), vec4(x[e]), vec4(y[e]), dgate, dvalue);
            x[e] = dgate.x;
            y[e] = dvalue.x;
        })
        put_c(to, x);
        put_c(to + toValue, y);
    }
}

// store4 of quads.glsl, without a loop whose count is not constant.
void store_four(uint m, uint n, vec4 v) {
    if (VEC_C) store4(m, n, v);
    else [[unroll]] for (uint j = 0; j < 4; j++) if (m < M && n + j < N) store(m, n + j, v[j]);
}

#ifndef PER_ELEMENT
// Stores a fragment by way of shared memory, whatever lies past C's edges.
void stage_fragment(SUMS v, uint m, uint n) {
    uint mine = gl_SubgroupID * CM * CN; // the subgroup's part of Cs
    // The subgroup has read the fragment before this one.
    controlBarrier(gl_ScopeSubgroup, gl_ScopeSubgroup, gl_StorageSemanticsShared, gl_SemanticsAcquireRelease);
    coopMatStore(v, Cs, mine, CN, gl_CooperativeMatrixLayoutRowMajor);
    // All lanes have written their part of the fragment before any reads it.
    controlBarrier(gl_ScopeSubgroup, gl_ScopeSubgroup, gl_StorageSemanticsShared, gl_SemanticsAcquireRelease);
    [[unroll]] for (uint e = 0; e < CM * CN; e += 4 * LANES) {
        uint s = e + 4 * gl_SubgroupInvocationID, from = mine + s;
        if (s < CM * CN) store_four(m + s / CN, n + s % CN, vec4(Cs[from], Cs[from + 1], Cs[from + 2], Cs[from + 3]));
    }
}
#endif

void main() {
    uint id = gl_LocalInvocationIndex, local = gl_WorkGroupSize.x;
    uvec2 tile = tile_of_c();
    uint m0 = tile.y * BM, n0 = tile.x * BN;
    uint wm = gl_SubgroupID / COLUMNS * WM, wn = gl_SubgroupID % COLUMNS * WN; // the subgroup's part

    SUMS acc[FM * FN];
    [[unroll]] for (uint i = 0; i < FM * FN; i++) acc[i] = SUMS(0.0);

    // Sums of op(A)'s rows are its product with ones, which the subgroups of the tile's first columns make.
    bool sum_rows = ROW_SUM != 0 && n0 == 0 && wn == 0;
    RIGHT ones = RIGHT(HALF(1.0));
    SUMS of_row[FM];
    [[unroll]] for (uint i = 0; i < FM; i++) of_row[i] = SUMS(0.0);

    uvec4 next_a[LOADS_A], next_b[LOADS_B];
    [[unroll]] for (uint s = 0; s < LOADS_A; s++) { uvec2 p = place_a(s); next_a[s] = fetch_a(m0 + p.x, p.y); }
    [[unroll]] for (uint s = 0; s < LOADS_B; s++) { uvec2 p = place_b(s); next_b[s] = fetch_b(n0 + p.x, p.y); }

    for (uint k0 = 0; k0 < K; k0 += BK) {
        if (K_TAIL) {
            [[unroll]] for (uint s = 0; s < LOADS_A; s++) next_a[s] = terms(next_a[s], k0 + place_a(s).y, !TRANS_A, VEC_A);
            [[unroll]] for (uint s = 0; s < LOADS_B; s++) next_b[s] = terms(next_b[s], k0 + place_b(s).y, TRANS_B, VEC_B);
        }
        // All of As and Bs is read before this slice overwrites it.
        barrier();
        if (TURN_A) {
            [[unroll]] for (uint s = 0; s < LOADS_A; s += 4) [[unroll]] for (uint c = 0; c < 4; c++)
                As[(place_a(s).x + c) * STRIDE_A + place_a(s).y / 4] =
                    column(next_a[s], next_a[s + 1], next_a[s + 2], next_a[s + 3], c, HALF_A);
        } else {
            [[unroll]] for (uint s = 0; s < LOADS_A; s++) {
                uint e = s * local + id;
                As[e / QUADS_A * STRIDE_A + e % QUADS_A] = staged(next_a[s], HALF_A);
            }
        }
        if (TURN_B) {
            [[unroll]] for (uint s = 0; s < LOADS_B; s += 4) [[unroll]] for (uint c = 0; c < 4; c++)
                Bs[(place_b(s).x + c) * STRIDE_B + place_b(s).y / 4] =
                    column(next_b[s], next_b[s + 1], next_b[s + 2], next_b[s + 3], c, HALF_B);
        } else {
            [[unroll]] for (uint s = 0; s < LOADS_B; s++) {
                uint e = s * local + id;
                Bs[e / QUADS_B * STRIDE_B + e % QUADS_B] = staged(next_b[s], HALF_B);
            }
        }
        // All of As and Bs is written before any of it is read.
        barrier();
        // On their way while the matrix unit works. After the last slice it is loaded once more, for nobody.
        uint k1 = K_TAIL ? k0 + BK : min(k0 + BK, K - BK);
        [[unroll]] for (uint s = 0; s < LOADS_A; s++) { uvec2 p = place_a(s); next_a[s] = fetch_a(m0 + p.x, k1 + p.y); }
        [[unroll]] for (uint s = 0; s < LOADS_B; s++) { uvec2 p = place_b(s); next_b[s] = fetch_b(n0 + p.x, k1 + p.y); }
        // Not unrolled here: a GPU's compiler does, and a CPU driver would compile for a minute.
        for (uint k = 0; k < BK; k += CK) {
            LEFT x[FM];
            [[unroll]] for (uint i = 0; i < FM; i++) {
                uint m = wm + i * CM;
                if (ALONG_A) coopMatLoad(x[i], As, m * STRIDE_A + k / 4, STRIDE_A, gl_CooperativeMatrixLayoutRowMajor);
                else coopMatLoad(x[i], As, k * STRIDE_A + m / 4, STRIDE_A, gl_CooperativeMatrixLayoutColumnMajor);
            }
            if (sum_rows) [[unroll]] for (uint i = 0; i < FM; i++) of_row[i] = coopMatMulAdd(x[i], ones, of_row[i]);
            // A column of fragments at a time: one of B serves all of A's.
            [[unroll]] for (uint j = 0; j < FN; j++) {
                RIGHT y;
                uint n = wn + j * CN;
                if (ALONG_B) coopMatLoad(y, Bs, n * STRIDE_B + k / 4, STRIDE_B, gl_CooperativeMatrixLayoutColumnMajor);
                else coopMatLoad(y, Bs, k * STRIDE_B + n / 4, STRIDE_B, gl_CooperativeMatrixLayoutRowMajor);
                [[unroll]] for (uint i = 0; i < FM; i++) acc[i * FN + j] = coopMatMulAdd(x[i], y, acc[i * FN + j]);
            }
        }
    }

    // Two ways to store, each with constant indices: an index that is not would send all sums through selects or memory. So every
    // loop in here has a constant count, or those around it would not be unrolled.
    if (DIRECT == 2 || DIRECT == 1 && m0 + BM <= M && n0 + BN <= N) {
        EACH(f, FM * FN, store_fragment(acc[f], m0 + wm + f / FN * CM, n0 + wn + f % FN * CN);)
    } else {
#ifdef PER_ELEMENT
        EACH(f, FM * FN, coopMatPerElementNV(acc[f], acc[f], store_element, m0 + wm + f / FN * CM, n0 + wn + f % FN * CN);)
#else
        EACH(f, FM * FN, stage_fragment(acc[f], m0 + wm + f / FN * CM, n0 + wn + f % FN * CN);)
#endif
    }

    // By all subgroups, as barriers want to be met, though few have anything to tell.
    if (ROW_SUM != 0) [[unroll]] for (uint i = 0; i < FM; i++) {
#ifdef PER_ELEMENT
        if (sum_rows) coopMatPerElementNV(of_row[i], of_row[i], store_sum_element, m0 + wm + i * CM);
#else
        uint mine = gl_SubgroupID * CM * CN;
        // The subgroup has read the fragment before this one.
        controlBarrier(gl_ScopeSubgroup, gl_ScopeSubgroup, gl_StorageSemanticsShared, gl_SemanticsAcquireRelease);
        coopMatStore(of_row[i], Cs, mine, CN, gl_CooperativeMatrixLayoutRowMajor);
        // All lanes have written their part of the fragment before any reads it.
        controlBarrier(gl_ScopeSubgroup, gl_ScopeSubgroup, gl_StorageSemanticsShared, gl_SemanticsAcquireRelease);
        if (sum_rows) [[unroll]] for (uint e = 0; e < CM; e += LANES) {
            uint r = e + gl_SubgroupInvocationID;
            if (r < CM) store_sum(m0 + wm + i * CM + r, Cs[mine + r * CN]);
        }
#endif
    }
}
