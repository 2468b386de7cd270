// SPDX-License-Identifier: MIT
// Matrix product on matrix units, without a wait: what 05 does, arranged so that the compiler can overlap it.
// Differs from the rung below by what stands between a load and the next one: nothing. Loads are not converted but kept as they lie in
// memory, and none depends on a test: what lies outside of the tensor is replaced by what lies inside. All loads of a slice are then
// on their way at once. Fragments of C pass through shared memory at C's edges only, and an operand may be transposed on its way there.
// Computes, Shapes, Push: see matmul.glsl
// Spec:     0 LOCAL = SUBGROUPS * subgroup size; 1 to 14 see matmul.glsl; 15 16 17 CM, CN, CK fragment, a shape that the device
//           has; 18 19 20 BM, BN, BK tile; 21 SUBGROUPS; 22 COLUMNS: subgroups along N. BM * BK and BN * BK are multiples of
//           4 * LOCAL, of 16 * LOCAL where 23 TURN is set: staged rows run along K, whichever way memory does; a subgroup's part
//           of the tile is a multiple of the fragment; 24 UNROLL: not on a CPU driver; 25 DIRECT: 2 where all tiles lie inside
//           C and their fragments can meet bias, residual, C and H in memory, 1 where those can that lie inside, 0 where none can
// Dispatch: (ceil(N/BN), ceil(M/BM), batch), LOCAL invocations in whole subgroups
// Precision: operands rounded to fp16 as they are staged, sums fp32 in an order that the device chooses
// Requires: as 05_coopmat.comp, and fp16 accumulators where DIRECT fragments meet halves
// CPU:      kernels/ref/matmul.go MatMul
// Backward: dA = dC op(B)ᵀ and dB = op(A)ᵀ dC: this shader with other constants
// glslc: sid --target-env=vulkan1.3
#version 450
#extension GL_GOOGLE_include_directive : require
#include "coopmat.glsl"
