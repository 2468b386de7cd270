// SPDX-License-Identifier: MIT
//
// Purpose: four floats as two words of 64 bits, for kernels that serve CPU drivers. In lavapipe a load inside a loop is taken
//          apart into lanes, and each lane's into words, each with a test of the buffer's bounds, a jump and an insertion:
//          a word costs some eight instructions whatever its width.
// Needs:   shaderInt64

#ifndef WORDS_GLSL
#define WORDS_GLSL

#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require

vec4 floats(u64vec2 words) { return uintBitsToFloat(uvec4(unpackUint2x32(words.x), unpackUint2x32(words.y))); }

#endif
