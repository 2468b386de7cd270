// SPDX-License-Identifier: MIT
//
// Purpose: tensors of which an invocation moves VEC neighbouring floats at a time, 4 or 1. A GPU moves 16 bytes as fast as 4;
//   a CPU driver finds and checks a lane's address once for all four, which is most of what a load costs there.
// Use: READS, WRITES or UPDATES(binding, name) in place of the buffer's declaration, and a specialization constant VEC, which
//   is 4 where all rows that are touched begin and end at multiples of four floats, else 1 (kernels.vec). Then
//   LOAD(name, i) is floats i to i + VEC - 1 in the first VEC components, zeros in the others; STORE(name, i, v) writes them.
//   name[i] is float i.
//   READS_AS, WRITES_AS, UPDATES_AS and precision.glsl are for what may lie in halves: LOAD_AS(format, name, i) and
//   STORE_AS(format, name, i, v) are LOAD and STORE for format 0; else, where VEC must be 4, of four halves of that format.
//   `#define RESTRICT restrict` before it says that no two tensors of the shader share memory: then loads may overtake stores.

#ifndef VEC_GLSL
#define VEC_GLSL

#ifndef RESTRICT
#define RESTRICT
#endif

// The same memory in ones and in fours.
#define READS(number, name) \
    layout(set = 0, binding = number, std430) RESTRICT readonly buffer floats_##name { float name[]; }; \
    layout(set = 0, binding = number, std430) RESTRICT readonly buffer fours_##name { vec4 name##4[]; };
#define WRITES(number, name) \
    layout(set = 0, binding = number, std430) RESTRICT writeonly buffer floats_##name { float name[]; }; \
    layout(set = 0, binding = number, std430) RESTRICT writeonly buffer fours_##name { vec4 name##4[]; };
#define UPDATES(number, name) \
    layout(set = 0, binding = number, std430) RESTRICT buffer floats_##name { float name[]; }; \
    layout(set = 0, binding = number, std430) RESTRICT buffer fours_##name { vec4 name##4[]; };

#define LOAD(name, i) (VEC == 4 ? name##4[(i) / 4] : vec4(name[i], 0, 0, 0))
#define STORE(name, i, v) if (VEC == 4) name##4[(i) / 4] = v; else name[i] = (v).x

// And in fours of halves.
#define READS_AS(number, name) \
    READS(number, name) \
    layout(set = 0, binding = number, std430) RESTRICT readonly buffer halves_##name { uvec2 name##_halves[]; };
#define WRITES_AS(number, name) \
    WRITES(number, name) \
    layout(set = 0, binding = number, std430) RESTRICT writeonly buffer halves_##name { uvec2 name##_halves[]; };
#define UPDATES_AS(number, name) \
    UPDATES(number, name) \
    layout(set = 0, binding = number, std430) RESTRICT buffer halves_##name { uvec2 name##_halves[]; };

#define LOAD_AS(format, name, i) (format != 0 ? unpack_halves(format, name##_halves[(i) / 4]) : LOAD(name, i))
#define STORE_AS(format, name, i, v) if (format != 0) name##_halves[(i) / 4] = pack_halves(format, v); else STORE(name, i, v)

// The sum of what v adds to sum, component by component: the order in which VEC = 1 adds the same floats.
float add4(float sum, vec4 v) { return (((sum + v.x) + v.y) + v.z) + v.w; }

#endif
