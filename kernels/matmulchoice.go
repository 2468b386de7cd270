// SPDX-License-Identifier: MIT

package kernels

import (
	"cmp"
	"fmt"
	"slices"

	"jitvk/engine"
)

// A MatMulChoice is how a product is computed.
type MatMulChoice struct {
	Tier  string // the rung: "matmul/05_coopmat"
	Tile  int    // which of the rung's tiles of C on this device, from 0 on
	Split int    // slices that K is cut into, whose products are then added up in order; 1: none
}

// A matMulShape is what the choice depends on besides the device and the precision.
type matMulShape struct {
	batch, M, N, K int
	transA, transB bool
	swiglu         bool // the product ends in a SwiGLU or its gradient
}

// chooseMatMul returns how to compute a product: what o asks for, else by the rung that JITVK_TIER names, else what has been
// measured for products like it, else the guess.
func chooseMatMul(info engine.Info, s matMulShape, o MatMulOptions, choose chooser) MatMulChoice {
	if c := o.Choice; c != nil {
		r := findRung(c.Tier)
		check(r.runs(info, o.Precision) && c.Tile >= 0 && c.Tile < len(r.tiles(info, o.Precision)), "MatMul", "%v has not what %v needs for %v operands",
			info, *c, o.Precision)
		return *c
	}
	runs := func(tier string, p Precision) bool { return findRung(tier).runs(info, p) }
	if tier := chosenTier("MatMul", info, "matmul/", cmp.Or(o.Tier, matMulForce), o.Precision, runs); tier != "" {
		return guessFor(tier, info, o.Precision, s)
	}
	var ways []string
	candidates := matMulCandidates(info, o.Precision, s.rounded())
	for _, c := range candidates {
		ways = append(ways, fmt.Sprint(c))
	}
	return candidates[choose(s.class(o.Precision), ways)]
}

// matMulForce is the Tier that tests give to all products that have none.
var matMulForce string

// guessMatMul is what a device gets that nobody has measured:
//
//	a CPU driver                      04_narrow: loads are the cost there, and its matrix units are loops
//	a GPU with a matrix unit, fp16    05_coopmat
//	any other                         03_vector
//
// 06_coopmat2 nobody is given unasked: on no GPU has it been compared with 05 yet.
func guessMatMul(info engine.Info, precision Precision, s matMulShape) MatMulChoice {
	tier := "matmul/03_vector"
	switch {
	case info.CPU() && info.SubgroupSize >= 8:
		tier = "matmul/04_narrow"
	case hasFragment(info, precision):
		tier = "matmul/05_coopmat"
	}
	return guessFor(tier, info, precision, s)
}

// guessFor is the guess for a rung: the largest tile of which there are enough to fill a GPU, else the middle one; the
// smallest for CPU drivers, which have no latency to hide.
func guessFor(tier string, info engine.Info, precision Precision, s matMulShape) MatMulChoice {
	tiles := findRung(tier).tiles(info, precision)
	c := MatMulChoice{Tier: tier, Tile: min(1, len(tiles)-1), Split: 1}
	if info.CPU() {
		c.Tile = 0
		return c
	}
	for i, t := range tiles {
		if i > c.Tile && t.groups(s) >= fillGPU {
			c.Tile = i
		}
	}
	return c
}

// fillGPU is how many workgroups fill a GPU: a large one has as many cores, and Vulkan does not tell how many there are.
const fillGPU = 128

// matMulCandidates returns the choices that are worth measuring, the guess first: on a CPU driver that alone, as every other
// rung is known to be several times slower there; on a GPU every tile of the rungs that could win.
func matMulCandidates(info engine.Info, precision Precision, s matMulShape) []MatMulChoice {
	guess := guessMatMul(info, precision, s)
	out := []MatMulChoice{guess}
	if info.CPU() {
		return out
	}
	for _, tier := range []string{"matmul/03_vector", "matmul/05_coopmat", "matmul/06_coopmat2"} {
		r := findRung(tier)
		if !r.runs(info, precision) {
			continue
		}
		for i := range r.tiles(info, precision) {
			if c := (MatMulChoice{Tier: tier, Tile: i, Split: 1}); c != guess {
				out = append(out, c)
			}
		}
	}
	return out
}

// A matMulRung is a rung of shaders/matmul.
type matMulRung struct {
	shader string
	runs   func(engine.Info, Precision) bool         // whether a device can multiply such operands on it
	tiles  func(engine.Info, Precision) []matMulTile // what it can then be launched with, small to large
}

// A matMulTile is how a rung is launched: its tile of C, its workgroup, and specialization constants from 13 on.
type matMulTile struct {
	bm, bn, local int
	quads, tail   bool // the shader looks at VEC_A, VEC_B, VEC_C; at K_TAIL
	spec          []uint32
}

// groups returns how many tiles C is made of, over the batch.
func (t matMulTile) groups(s matMulShape) int {
	return s.batch * ceilDiv(s.M, t.bm) * ceilDiv(s.N, t.bn)
}

// matMulRungs are the rungs, from the foot of the ladder up.
var matMulRungs = []matMulRung{
	{"matmul/00_naive", anywhere, oneTile(matMulTile{bm: 1, bn: 64, local: 64})},
	{"matmul/01_tiled", anywhere, oneTile(matMulTile{bm: 16, bn: 16, local: 256})},
	{"matmul/02_register", anywhere, oneTile(matMulTile{bm: 64, bn: 64, local: 256})},
	{"matmul/03_vector", anywhere, oneTile(matMulTile{bm: 64, bn: 64, local: 256, quads: true})},
	{"matmul/04_narrow", func(i engine.Info, _ Precision) bool { return i.SubgroupSize >= 8 }, oneTile(matMulTile{bm: 16, bn: 32, local: 8, quads: true, tail: true})},
	{"matmul/05_coopmat", hasFragment, coopMatTiles},
	{"matmul/06_coopmat2", hasPerElement, coopMatTiles},
}

func findRung(tier string) matMulRung {
	i := slices.IndexFunc(matMulRungs, func(r matMulRung) bool { return r.shader == tier })
	check(i >= 0, "MatMul", "no tier %s", tier)
	return matMulRungs[i]
}

func anywhere(engine.Info, Precision) bool { return true }

// oneTile is for the rungs whose shaders have their sizes written in.
func oneTile(t matMulTile) func(engine.Info, Precision) []matMulTile {
	return func(engine.Info, Precision) []matMulTile { return []matMulTile{t} }
}

// fragment returns the first shape of cooperative matrices, which drivers list best first, that multiplies operands of a
// precision into fp32 and divides the tiles below.
func fragment(info engine.Info, precision Precision) (shape engine.CoopMat, ok bool) {
	operand := map[Precision]string{FP16: "f16"}[precision] // 05_coopmat has no other yet
	for _, c := range info.CoopMat {
		if operand != "" && c.A == operand && c.B == operand && c.C == "f32" && c.R == "f32" && 16%c.M == 0 && 16%c.N == 0 && 32%c.K == 0 {
			return c, true
		}
	}
	return engine.CoopMat{}, false
}

func hasFragment(info engine.Info, precision Precision) bool {
	_, ok := fragment(info, precision)
	return ok && info.Float16 && info.SubgroupSize <= 64 && len(coopMatTiles(info, precision)) > 0
}

// hasPerElement reports whether a device can run 06_coopmat2.
func hasPerElement(info engine.Info, precision Precision) bool {
	return hasFragment(info, precision) && info.CoopMat2.PerElement
}

// coopMatTiles returns the tiles of 05_coopmat that a device has the invocations and the shared memory for.
func coopMatTiles(info engine.Info, precision Precision) (tiles []matMulTile) {
	f, _ := fragment(info, precision)
	u := func(n int) uint32 { return uint32(n) }
	// Rows, columns, step along K, subgroups, subgroups along N.
	for _, t := range [][5]int{{32, 32, 16, 4, 2}, {64, 64, 32, 4, 2}, {128, 128, 32, 8, 2}} {
		bm, bn, bk, subgroups, columns := t[0], t[1], t[2], t[3], t[4]
		if subgroups == 8 && info.SubgroupSize == 64 { // twice the registers a subgroup
			subgroups = 4
		}
		// The slices in halves, with 8 behind each row, at most, and a fragment of C for each subgroup.
		shared := 2*(bm*(bk+8)+bn*(bk+8)) + 4*subgroups*f.M*f.N
		if local := subgroups * info.SubgroupSize; local <= info.MaxInvocations && shared <= info.SharedMemory {
			tiles = append(tiles, matMulTile{bm, bn, local, true, false, []uint32{u(f.M), u(f.N), u(f.K), u(bm), u(bn), u(bk), u(subgroups), u(columns)}})
		}
	}
	return tiles
}

// MatMulTiers returns the rungs that a device can run with operands of a precision, from the foot of the ladder up.
func MatMulTiers(info engine.Info, precision Precision) (names []string) {
	for _, r := range matMulRungs {
		if r.runs(info, precision) {
			names = append(names, r.shader)
		}
	}
	return names
}
