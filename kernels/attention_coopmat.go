// SPDX-License-Identifier: MIT

package kernels

import (
	"fmt"
	"slices"

	"jitvk/engine"
)

// A coopMatShape is how attention on matrix units is cut: fragments of m x k by k x n, subgroups to a workgroup, each with m rows
// of its own, and the rows of the other side that a tile holds. Loops over fragments are unrolled or not. What a product sums over
// is staged on its side (04_pipelined) or as it lies.
type coopMatShape struct {
	m, n, k, subgroups, tile int
	unroll, turn             bool
}

func (s coopMatShape) String() string {
	text := fmt.Sprintf("%dx%dx%d by %d, tiles of %d", s.m, s.n, s.k, s.subgroups, s.tile)
	if s.turn {
		text += ", turned"
	}
	return text
}

// attentionShapeForce, when not zero, is the shape that tests want.
var attentionShapeForce coopMatShape

// coopMatShapes returns the shapes of 03_coopmat for a device and a head size: every fragment that multiplies fp16 into fp32, that
// the device also has with fp16 sums (the backward pass turns sums into halves), and whose rows share a subgroup's lanes evenly,
// in the device's order; each with the largest tile for which shared memory is enough.
func coopMatShapes(info engine.Info, D int) (shapes []coopMatShape) {
	return attentionShapes(info, false, func(s coopMatShape) bool { return s.sharedMemory(D) <= info.SharedMemory })
}

// pipelinedShapes returns those of 04_pipelined: of each two, what products sum over turned, and not. AMD's matrix unit gathers half
// by half what is not; others may turn as they load. Heads of more than 96 floats leave no registers for tiles on their way: for 128
// the compiler that launchShared names is 62 short, for 96 none.
func pipelinedShapes(info engine.Info, D int) (shapes []coopMatShape) {
	if D > 96 {
		return nil
	}
	for _, turn := range []bool{true, false} {
		shapes = append(shapes, attentionShapes(info, turn, func(s coopMatShape) bool {
			parts := info.SubgroupSize / s.m // lanes that share a row of a tile
			return parts <= s.tile/4 && s.pipelinedMemory(D) <= info.SharedMemory
		})...)
	}
	return shapes
}

func attentionShapes(info engine.Info, turn bool, fits func(s coopMatShape) bool) (shapes []coopMatShape) {
	if attentionShapeForce != (coopMatShape{}) {
		return []coopMatShape{attentionShapeForce}
	}
	for _, c := range info.CoopMat {
		half := engine.CoopMat{M: c.M, N: c.N, K: c.K, A: "f16", B: "f16", C: "f16", R: "f16"}
		if c.A != "f16" || c.B != "f16" || c.C != "f32" || c.R != "f32" || !slices.Contains(info.CoopMat, half) {
			continue
		}
		for _, tile := range []int{32, 16} {
			s := coopMatShape{c.M, c.N, c.K, 4, tile, !info.CPU(), turn}
			if tile%c.N == 0 && tile%c.K == 0 && info.SubgroupSize%c.M == 0 && fits(s) {
				shapes = append(shapes, s)
				break
			}
		}
	}
	return shapes
}

// sharedMemory returns the most bytes that one of 03_coopmat's shaders needs: the arrays of coopmat.glsl and its own.
func (s coopMatShape) sharedMemory(D int) int {
	staged, weights, rows := s.arrays(D)
	forward := staged + weights + 16*rows*(s.tile/4+1)
	backward := staged + 2*weights + 4*rows*s.n + 4*2*s.m*s.tile // of dk and dv; that of dq needs less
	return max(forward, backward)
}

// pipelinedMemory is the same for 04_pipelined, which has tiles on their side besides: one forward, two of dk and dv.
func (s coopMatShape) pipelinedMemory(D int) int {
	staged, weights, rows := s.arrays(D)
	turned := 8
	if s.turn {
		pad := max(s.n, s.k)
		turned = 8 * ceilDiv(D, pad) * pad * (s.tile/4 + 2)
	}
	forward := staged + turned + weights + 16*rows*(s.tile/4+1)
	backward := staged + 2*turned + 2*weights + 4*rows*s.n + 4*2*s.m*s.tile
	return max(forward, backward)
}

// arrays returns the bytes of what both rungs have, and a workgroup's rows.
func (s coopMatShape) arrays(D int) (staged, weights, rows int) {
	rows = s.subgroups * s.m
	pad := max(s.n, s.k)
	return 8 * max(rows, 2*s.tile) * (ceilDiv(D, pad)*pad/4 + 2), 8 * rows * (s.tile/4 + 2), rows
}

// runsOn reports whether a device has what a rung on matrix units needs: halves, and a shape that fits.
func runsOn(shapes func(info engine.Info, D int) []coopMatShape) func(info engine.Info, precision Precision, D int) bool {
	return func(info engine.Info, precision Precision, D int) bool {
		if precision != FP16 || !info.Float16 || info.SubgroupSize > 64 {
			return false
		}
		s := shapes(info, D)
		return len(s) > 0 && s[0].subgroups*info.SubgroupSize <= info.MaxInvocations
	}
}

// launchCoopMat gives each subgroup a fragment's rows. The backward pass of large heads is not unrolled: its sums leave no
// registers for that (dq at D = 80: 228 and none short, rather than 46 short, by the compiler that launchShared names).
func launchCoopMat(info engine.Info, a attention, backward bool, s coopMatShape) attentionLaunch {
	s.unroll = s.unroll && !(backward && a.D > 64)
	return attentionLaunch{s.subgroups * info.SubgroupSize, s.subgroups * s.m, s.constants()}
}

func launchPipelined(info engine.Info, a attention, backward bool, s coopMatShape) attentionLaunch {
	return attentionLaunch{s.subgroups * info.SubgroupSize, s.subgroups * s.m,
		append(s.constants(), flag(s.turn))}
}

// constants are the shape as shaders take it.
func (s coopMatShape) constants() []uint32 {
	u := func(n int) uint32 { return uint32(n) }
	return []uint32{u(s.m), u(s.n), u(s.k), u(s.subgroups), u(s.tile), flag(s.unroll)}
}
