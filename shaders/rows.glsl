// SPDX-License-Identifier: MIT
//
// Purpose: for kernels whose invocations go down columns. They take ROWS rows at a time, a specialization constant, and all loads of
//   these stand before what is done with any of them: so many bytes are on their way at once, which is what a GPU waits for.
// Use: `for (uint r = first; r < end; r += ROWS)` { EACH_ROW(i) loads of row ROW(r, i, end); EACH_ROW(i) the rest }. There are no
//   branches, into which a compiler would move loads: a row past the end is the last one once more, which then is stored twice with
//   the same value. Only what is summed asks, by ONCE(r, i, end, v): v, or nothing past the end.

#ifndef ROWS_GLSL
#define ROWS_GLSL

#extension GL_EXT_control_flow_attributes : require

#define EACH_ROW(i) [[unroll]] for (uint i = 0; i < ROWS; i++)
#define ROW(r, i, end) (ROWS == 1 ? (r) : min((r) + (i), (end) - 1))
#define ONCE(r, i, end, v) (ROWS == 1 || (r) + (i) < (end) ? (v) : vec4(0))

#endif
