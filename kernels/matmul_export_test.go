// SPDX-License-Identifier: MIT

package kernels

import (
	"slices"

	"jitvk/engine"
)

// MatMulRungs returns the names of the shaders that MatMul can record.
func MatMulRungs() (names []string) {
	for _, t := range matMulRungs {
		names = append(names, t.shader)
	}
	return names
}

// WithMatMul calls f while MatMul records the rung of that name, whatever the device.
func WithMatMul(rung string, f func()) {
	matMulForce = rung
	defer func() { matMulForce = "" }()
	f()
}

// MatMulPrecisions returns what operands a rung can multiply on a device; none where the device cannot run it.
func MatMulPrecisions(rung string, info engine.Info) (out []Precision) {
	for _, p := range []Precision{FP32, FP16, BF16} {
		if slices.Contains(MatMulRungsOn(info, p), rung) {
			out = append(out, p)
		}
	}
	return out
}

// MatMulShape is a product for ChooseMatMul and MatMulChoices.
type MatMulShape = matMulShape

// NewMatMulShape is a batch of products of (M,K) and (K,N) matrices.
func NewMatMulShape(batch, M, N, K int) MatMulShape {
	return matMulShape{batch: batch, M: M, N: N, K: K}
}

// ChooseMatMul returns how a device computes a product.
func ChooseMatMul(info engine.Info, s MatMulShape, o MatMulOptions) MatMulChoice {
	return chooseMatMul(info, s, o, answers(guess))
}

// MatMulChoices returns what is worth measuring.
func MatMulChoices(info engine.Info, precision Precision, s MatMulShape) []MatMulChoice {
	return matMulChoices(info, precision, s)
}

// MatMulTiles returns how many tiles a rung has on a device.
func MatMulTiles(rung string, info engine.Info, precision Precision) int {
	return len(findRung(rung).tiles(info, precision))
}

// MatMulTile returns the rows and columns of C's tiles.
func MatMulTile(c MatMulChoice, info engine.Info, precision Precision) (bm, bn int) {
	t := findRung(c.Rung).tiles(info, precision)[c.Tile]
	return t.bm, t.bn
}

// MatMulTurns reports whether a choice turns operands.
func MatMulTurns(c MatMulChoice, info engine.Info, precision Precision) bool {
	return findRung(c.Rung).tiles(info, precision)[c.Tile].turned
}

// CoopMatTiles returns how the cooperative matrix rungs are launched on a device: LOCAL, and their constants from 15 on.
func CoopMatTiles(info engine.Info) (local []int, spec [][]uint32) {
	for _, t := range append(coopMatTiles(info, FP16), prefetchTiles(info, FP16)...) {
		local, spec = append(local, t.local), append(spec, t.spec)
	}
	return local, spec
}

// SumSlices is the sum that ends a split product.
func SumSlices(p *engine.Program, c, part Tensor, o MatMulOptions) {
	m := product{MatMulOptions: o, op: "SumSlices", N: c.Shape[1]}
	if o.Residual != nil {
		m.residual = o.Residual.byRows("SumSlices", 1)
	}
	sumSlices(p, c.byRows("SumSlices", 1), part, m)
}

// WithRungs calls f as if JITVK_RUNG held a list.
func WithRungs(list string, f func()) {
	before := forced
	forced = func() (map[string]bool, error) { return parseRungs(list) }
	defer func() { forced = before }()
	f()
}

// ParseRungs reads what JITVK_RUNG holds.
func ParseRungs(list string) (map[string]bool, error) { return parseRungs(list) }
