// SPDX-License-Identifier: MIT
//
// Purpose: the VEC pairs of floats that RoPE turns together, from pair j of a row on.
// Use: after vec.glsl; a and b are the places of pair j's floats in the row, which begins at float `at` of the tensor.
//   LOAD_PAIRS is a matrix of two columns, the pairs' first floats and their second ones; STORE_PAIRS writes them.
//   VEC is 4 only where a quarter of the row is a multiple of four floats. LOAD_PAIRS_AS and STORE_PAIRS_AS are for what may lie in
//   halves, as LOAD_AS and STORE_AS.

#ifndef PAIRS_GLSL
#define PAIRS_GLSL

// Where pairs are neighbours, four of them are two vec4 side by side: (a0 b0 a1 b1), (a2 b2 a3 b3).
mat2x4 apart(vec4 u, vec4 v) { return mat2x4(vec4(u.xz, v.xz), vec4(u.yw, v.yw)); }

#define LOAD_PAIRS(name, at)                                                                       \
    (VEC == 4 && INTERLEAVED ? apart(name##4[((at) + a) / 4], name##4[((at) + a) / 4 + 1])         \
                             : mat2x4(LOAD(name, (at) + a), LOAD(name, (at) + b)))

#define LOAD_PAIRS_AS(format, name, at)                                                            \
    (VEC == 4 && INTERLEAVED ? apart(LOAD_AS(format, name, (at) + a), LOAD_AS(format, name, (at) + a + 4)) \
                             : mat2x4(LOAD_AS(format, name, (at) + a), LOAD_AS(format, name, (at) + b)))

#define STORE_PAIRS(name, at, p, q)                                                                \
    if (VEC == 4 && INTERLEAVED) {                                                                 \
        name##4[((at) + a) / 4] = vec4((p).x, (q).x, (p).y, (q).y);                                \
        name##4[((at) + a) / 4 + 1] = vec4((p).z, (q).z, (p).w, (q).w);                            \
    } else {                                                                                       \
        STORE(name, (at) + a, p);                                                                  \
        STORE(name, (at) + b, q);                                                                  \
    }

#define STORE_PAIRS_AS(format, name, at, p, q)                                                     \
    if (VEC == 4 && INTERLEAVED) {                                                                 \
        STORE_AS(format, name, (at) + a, vec4((p).x, (q).x, (p).y, (q).y));                        \
        STORE_AS(format, name, (at) + a + 4, vec4((p).z, (q).z, (p).w, (q).w));                    \
    } else {                                                                                       \
        STORE_AS(format, name, (at) + a, p);                                                       \
        STORE_AS(format, name, (at) + b, q);                                                       \
    }

#endif
