// SPDX-License-Identifier: MIT
// Attention backward, before the rest: what every gradient of a query's row of scores has in common.
// Computes: delta[b,h,t] = sum over D of do o, which is sum_j p[j] (do.v[j]): the mean that softmax's gradient takes off
// Shapes:   do, o (B,T,H,D), tokens ldDO, ldO floats apart; delta (B,H,T)
// Push:     rows = B*T*H, T, H, D, ldDO, offDO, ldO, offO (floats)
// Spec:     0 LOCAL invocations; 1 SPREAD: a subgroup shares a row (true), or each invocation owns one (false);
//           2 PRECISION that do is rounded to: 0 fp32, 1 fp16, 2 bf16; 3 VEC: floats at a time, see vec.glsl; 4 IN_HALVES: bit b says that
//           binding b lies in halves of PRECISION; VEC is 4 then
// Dispatch: x*y workgroups of LOCAL invocations; LOCAL/subgroup size rows (SPREAD) or LOCAL rows each
// Precision: fp32 storage and sums; do is rounded when it is loaded, as the passes that follow round it, so
//           that ds still sums to nothing along a row
// CPU:      kernels/ref/attention.go AttentionBackward
// Forward:  attention/01_narrow_fwd.comp; what follows is attention/01_narrow_bwd_dkv.comp or its likes
#version 450
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_GOOGLE_include_directive : require
#include "precision.glsl"
#include "vec.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) writeonly buffer Delta { float delta[]; };
READS(1, do_)
READS(2, o)
layout(set = 0, binding = 1, std430) readonly buffer Halves_do { uvec2 half_do[]; };
layout(set = 0, binding = 2, std430) readonly buffer Halves_o { uvec2 half_o[]; };
layout(push_constant) uniform Push { uint rows, T, H, D, ldDO, offDO, ldO, offO; };
layout(constant_id = 1) const bool SPREAD = true;
layout(constant_id = 2) const uint PRECISION = 0;
layout(constant_id = 3) const uint VEC = 4;
layout(constant_id = 4) const uint IN_HALVES = 0;

// VEC numbers from i on, whatever they lie in; of do as the products see them.
vec4 load_do(uint i) {
    if ((IN_HALVES & 2) != 0) return unpack_halves(PRECISION, half_do[i / 4]);
    return PRECISION == 0 ? LOAD(do_, i) : round_to(PRECISION, LOAD(do_, i));
}
vec4 load_o(uint i) { return (IN_HALVES & 4) != 0 ? unpack_halves(PRECISION, half_o[i / 4]) : LOAD(o, i); }

void main() {
    // Workgroups are spread over x and y, since 65535 in x is all that Vulkan promises.
    uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint row = SPREAD ? group * gl_NumSubgroups + gl_SubgroupID : group * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
    // Where the invocation's floats begin, and how far apart; gl_SubgroupSize is but a maximum on some drivers.
    uint first = SPREAD ? VEC * gl_SubgroupInvocationID : 0;
    uint next = SPREAD ? VEC * (gl_WorkGroupSize.x / gl_NumSubgroups) : VEC;
    if (row >= rows) return;

    uint token = row / H, h = row % H;  // neighbours in memory are neighbours in h; delta is written across
    uint from = offDO + token * ldDO + h * D, fromo = offO + token * ldO + h * D;
    float sum = 0.0;
    for (uint d = first; d < D; d += next) sum = add4(sum, load_do(from + d) * load_o(fromo + d));
    if (SPREAD) sum = subgroupAdd(sum);
    if (first == 0) delta[((token / T) * H + h) * T + token % T] = sum;
}
