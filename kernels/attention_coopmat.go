// SPDX-License-Identifier: MIT

package kernels

import (
	"slices"

	"jitvk/engine"
)

// attentionFragment returns the first shape of cooperative matrices that attention/03_coopmat can use: one that multiplies
// fp16 into fp32, that the device also has with fp16 sums (the backward pass turns sums into halves), and whose rows share the
// lanes of a subgroup evenly.
func attentionFragment(info engine.Info) (shape engine.CoopMat, ok bool) {
	for _, c := range info.CoopMat {
		if c.A != "f16" || c.B != "f16" || c.C != "f32" || c.R != "f32" || 16%c.M != 0 || 16%c.N != 0 || 16%c.K != 0 || info.SubgroupSize%c.M != 0 {
			continue
		}
		half := c
		if half.C, half.R = "f16", "f16"; slices.Contains(info.CoopMat, half) {
			return c, true
		}
	}
	return engine.CoopMat{}, false
}

// hasAttentionFragment is for the table of rungs: any head will do.
func hasAttentionFragment(info engine.Info, precision Precision, _ int) bool {
	_, ok := attentionFragment(info)
	return ok && precision == FP16 && info.Float16 && info.SubgroupSize <= 64
}

// launchCoopMat gives each subgroup of a workgroup a fragment's rows and stages the other side in shared memory, as many rows
// of it at a time as fit.
func launchCoopMat(info engine.Info, a attention, _ attentionPass) attentionLaunch {
	const subgroups = 4
	f, _ := attentionFragment(info)
	rows, tile := subgroups*f.M, 32
	if a.coopMatShared(f, rows, tile) > info.SharedMemory {
		tile = 16
	}
	u := func(n int) uint32 { return uint32(n) }
	return attentionLaunch{subgroups * info.SubgroupSize, rows, []uint32{u(f.M), u(f.N), u(f.K), subgroups, u(tile), flag(!info.CPU())}}
}

// coopMatShared returns the most bytes of shared memory that one of the rung's shaders needs: the arrays of coopmat.glsl and
// its own.
func (a attention) coopMatShared(f engine.CoopMat, rows, tile int) int {
	quads := ceilDiv(a.D, max(f.N, f.K)) * max(f.N, f.K) / 4
	staged := 8 * max(rows, 2*tile) * (quads + 2)
	weights := 8 * rows * (tile/4 + 2)
	forward := staged + weights + 16*rows*(tile/4+1)
	backward := staged + 2*weights + 16*rows*f.N/4 + 4*2*f.M*tile // of dk and dv; that of dq needs less
	return max(forward, backward)
}
