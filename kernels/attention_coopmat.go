// SPDX-License-Identifier: MIT

package kernels

import (
	"slices"

	"jitvk/engine"
)

// A coopMatShape is how attention/03_coopmat is cut: fragments of m x k by k x n, subgroups to a workgroup, each with m rows
// of its own, and the rows of the other side that a tile holds. Loops over fragments are unrolled or not.
type coopMatShape struct {
	m, n, k, subgroups, tile int
	unroll                   bool
}

// attentionShapeForce, when not zero, is the shape that tests want.
var attentionShapeForce coopMatShape

// attentionShape returns the shape for a device and a head size: the first fragment that multiplies fp16 into fp32, that the
// device also has with fp16 sums (the backward pass turns sums into halves), and whose rows share a subgroup's lanes evenly;
// and the largest tile for which shared memory is enough.
func attentionShape(info engine.Info, D int) (shape coopMatShape, ok bool) {
	if attentionShapeForce != (coopMatShape{}) {
		return attentionShapeForce, true
	}
	for _, c := range info.CoopMat {
		half := engine.CoopMat{M: c.M, N: c.N, K: c.K, A: "f16", B: "f16", C: "f16", R: "f16"}
		if c.A != "f16" || c.B != "f16" || c.C != "f32" || c.R != "f32" || !slices.Contains(info.CoopMat, half) {
			continue
		}
		for _, tile := range []int{32, 16} {
			s := coopMatShape{c.M, c.N, c.K, 4, tile, !info.CPU()}
			if tile%c.N == 0 && tile%c.K == 0 && info.SubgroupSize%c.M == 0 && s.sharedMemory(D) <= info.SharedMemory {
				return s, true
			}
		}
	}
	return coopMatShape{}, false
}

// sharedMemory returns the most bytes that one of the three shaders needs: the arrays of coopmat.glsl and its own.
func (s coopMatShape) sharedMemory(D int) int {
	rows, pad := s.subgroups*s.m, max(s.n, s.k)
	staged := 8 * max(rows, 2*s.tile) * (ceilDiv(D, pad)*pad/4 + 2)
	weights := 8 * rows * (s.tile/4 + 2)
	forward := staged + weights + 16*rows*(s.tile/4+1)
	backward := staged + 2*weights + 4*rows*s.n + 4*2*s.m*s.tile // of dk and dv; that of dq needs less
	return max(forward, backward)
}

func hasAttentionShape(info engine.Info, precision Precision, D int) bool {
	s, ok := attentionShape(info, D)
	return ok && precision == FP16 && info.Float16 && info.SubgroupSize <= 64 && s.subgroups*info.SubgroupSize <= info.MaxInvocations
}

// launchCoopMat gives each subgroup a fragment's rows. The backward pass of large heads is not unrolled: its sums leave no
// registers for that (dq at D = 80: 228 and none short, rather than 46 short, by the compiler that launchShared names).
func launchCoopMat(info engine.Info, a attention, backward bool) attentionLaunch {
	s, _ := attentionShape(info, a.D)
	s.unroll = s.unroll && !(backward && a.D > 64)
	u := func(n int) uint32 { return uint32(n) }
	return attentionLaunch{s.subgroups * info.SubgroupSize, s.subgroups * s.m,
		[]uint32{u(s.m), u(s.n), u(s.k), u(s.subgroups), u(s.tile), flag(s.unroll)}}
}
