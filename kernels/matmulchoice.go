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
	Rung  string // the rung: "matmul/06_prefetch"
	Tile  int    // which of the rung's tiles of C on this device, from 0 on
	Split int    // slices that K is cut into, whose products are then added up in order; 1: none
}

// A matMulShape is what the choice depends on besides the device and the precision.
type matMulShape struct {
	batch, M, N, K int
	transA, transB bool
	halfA, halfB   bool // the operand lies in halves
	halfC          bool // and so does c
	swiglu         bool // the product ends in a SwiGLU or its gradient
}

// splits reports whether K may be cut into slices: a batch has enough products as it is, and sumslices.comp ends in no SwiGLU.
func (s matMulShape) splits() bool { return s.batch == 1 && !s.swiglu }

// chooseMatMul returns how to compute a product: what o asks for, else by the rung that JITVK_RUNG names, else what has been
// measured for products like it, else the guess.
func chooseMatMul(info engine.Info, s matMulShape, o MatMulOptions, choose chooser) MatMulChoice {
	if c := o.Choice; c != nil {
		r := findRung(c.Rung)
		check(r.runs(info, o.Precision) && c.Tile >= 0 && c.Tile < len(r.tiles(info, o.Precision)), "MatMul",
			"%v has not what %v needs for %v operands", info, *c, o.Precision)
		check(c.Split == 1 || c.Split > 1 && s.splits(), "MatMul",
			"%v: a split of 1 or more wanted, and of 1 for a batch or with a SwiGLU", *c)
		return *c
	}
	runs := func(rung string, p Precision) bool { return findRung(rung).runs(info, p) }
	if rung := requestedRung("MatMul", info, "matmul/", cmp.Or(o.Rung, matMulForce), o.Precision, runs, choose.Fail); rung != "" {
		return guessFor(rung, info, o.Precision, s)
	}
	var names []string
	choices := matMulChoices(info, o.Precision, s.rounded())
	for _, c := range choices {
		names = append(names, fmt.Sprint(c))
	}
	return choices[choose.Choose(s.class(o.Precision), names)]
}

// matMulForce is the Rung that tests give to all products that have none.
var matMulForce string

// guessMatMul is what a device gets that nobody has measured:
//
//	a CPU driver                      04_narrow: loads are the cost there, and its matrix units are loops
//	a GPU with a matrix unit for it   06_prefetch, fp16 and bf16
//	any other                         03_vector, or 00_naive where workgroups are too small for that
//
// 07_coopmat2 is nobody's guess: on no GPU has it been compared with 06 yet. Of a rung's tiles a GPU gets the largest of
// which there are enough to fill it, else that of 64 x 64; a CPU driver, which has no latency to hide, the smallest. Left to measuring
// are tiles that take half of a GPU's registers or all of them, as the largest of 03_vector and of 06 do, and those that turn
// operands. Where a GPU has no more than a tile a core, and K is 2048 or more, the product is split along K to fill it.
func guessMatMul(info engine.Info, precision Precision, s matMulShape) MatMulChoice {
	rung := "matmul/03_vector"
	switch {
	case info.CPU() && findRung("matmul/04_narrow").runs(info, precision):
		rung = "matmul/04_narrow"
	case hasFragment(info, precision):
		rung = "matmul/06_prefetch"
	case !findRung(rung).runs(info, precision):
		rung = "matmul/00_naive"
	}
	return guessFor(rung, info, precision, s)
}

// guessFor is the guess for a rung.
func guessFor(rung string, info engine.Info, precision Precision, s matMulShape) MatMulChoice {
	tiles := findRung(rung).tiles(info, precision)
	if info.CPU() {
		return MatMulChoice{rung, 0, 1}
	}
	best := slices.IndexFunc(tiles, func(t matMulTile) bool { return t.bm >= 64 })
	if best < 0 {
		best = 0
	}
	for i := best + 1; i < len(tiles) && rung != "matmul/03_vector"; i++ {
		if t := tiles[i]; !t.turned && t.bn <= 128 && t.groups(s) >= fill(info, 2) {
			best = i
		}
	}
	c := MatMulChoice{rung, best, 1}
	if s.K >= 2048 {
		c.Split = fillingSplit(info, s, tiles[best], 2)
	}
	return c
}

// fill is how many workgroups keep a device busy: so many a core, two for a guess, as one computes while the other waits. Where a GPU
// does not say how many cores it has, it counts as one with 64.
func fill(info engine.Info, perCore int) int {
	if info.CPU() {
		return 8
	}
	return cmp.Or(info.Cores, 64) * perCore
}

// fillingSplit returns the slices of K that fill a device: at most 16, each of 256 terms or more, since what they leave has to
// be read again and added up.
func fillingSplit(info engine.Info, s matMulShape, t matMulTile, perCore int) int {
	if !s.splits() {
		return 1
	}
	return max(1, min(fill(info, perCore)/t.groups(s), s.K/256, 16))
}

// matMulChoices returns the choices that are worth measuring, the guess first: every tile of the rungs that could win, whole
// and split to fill the device. On a CPU driver all other rungs are known to be several times slower than the guess.
func matMulChoices(info engine.Info, precision Precision, s matMulShape) []MatMulChoice {
	out := []MatMulChoice{guessMatMul(info, precision, s)}
	rungs := []string{"matmul/03_vector", "matmul/06_prefetch", "matmul/07_coopmat2"}
	if info.CPU() {
		rungs = []string{out[0].Rung}
	}
	for _, rung := range rungs {
		r := findRung(rung)
		if !r.runs(info, precision) {
			continue
		}
		for i, t := range r.tiles(info, precision) {
			if turns := s.transA || !s.transB; t.turned && !turns || !t.turned && turns && t.bn > 128 {
				continue // nothing to turn; fragments that lie across memory's rows need registers, which that tile has none to spare of
			}
			for _, split := range []int{1, fillingSplit(info, s, t, 2), fillingSplit(info, s, t, 4)} {
				if c := (MatMulChoice{rung, i, split}); !slices.Contains(out, c) {
					out = append(out, c)
				}
			}
		}
	}
	return out
}

// sliceOf returns how many terms a slice has where the K terms of M x N sums are to be split: a multiple of every rung's step
// along K, so that only the last slice is ragged, and enough for the slices' products to fit into a binding of limit bytes.
func sliceOf(split, M, N, K int, limit int64) int {
	const quantum = 32
	if split = min(split, int(limit/4/int64(M)/int64(N))); split < 2 {
		return K
	}
	return min(K, ceilDiv(ceilDiv(K, split), quantum)*quantum)
}

// A matMulRung is a rung of shaders/matmul.
type matMulRung struct {
	shader string
	runs   func(engine.Info, Precision) bool         // whether a device can multiply such operands on it
	tiles  func(engine.Info, Precision) []matMulTile // what it can then be launched with, small to large
}

// A matMulTile is how a rung is launched: its tile of C, its workgroup, and specialization constants from 15 on.
type matMulTile struct {
	bm, bn, local  int
	quads          bool // the shader looks at LAY_A, LAY_B, LAY_C for fours of floats
	tail           int  // where it is not 0 the shader looks at K_TAIL, and has one where K is no multiple of this
	direct, turned bool // it looks at DIRECT; it turns operands, which only some products want
	spec           []uint32
}

// groups returns how many tiles C is made of, over the batch.
func (t matMulTile) groups(s matMulShape) int {
	return s.batch * ceilDiv(s.M, t.bm) * ceilDiv(s.N, t.bn)
}

// matMulRungs are the rungs, from the foot of the ladder up.
var matMulRungs = []matMulRung{
	{"matmul/00_naive", anywhere, oneTile(matMulTile{bm: 1, bn: 64, local: 64})},
	{"matmul/01_tiled", in256, oneTile(matMulTile{bm: 16, bn: 16, local: 256})},
	{"matmul/02_register", in256, oneTile(matMulTile{bm: 64, bn: 64, local: 256})},
	{"matmul/03_vector", in256, vectorTiles},
	{"matmul/04_narrow", func(i engine.Info, _ Precision) bool { return i.SubgroupSize >= 8 && i.Int64 }, narrowTile},
	{"matmul/05_coopmat", func(i engine.Info, p Precision) bool { return p == FP16 && hasFragment(i, p) }, coopMatTiles},
	{"matmul/06_prefetch", hasFragment, prefetchTiles},
	{"matmul/07_coopmat2", hasPerElement, prefetchTiles},
}

// storesFours are the rungs that store four columns at a time, as a c in halves wants it. Those below store single elements, and
// so does 07_coopmat2, whose device says of each element where it lies.
var storesFours = []string{"matmul/03_vector", "matmul/04_narrow", "matmul/05_coopmat", "matmul/06_prefetch"}

func findRung(rung string) matMulRung {
	i := slices.IndexFunc(matMulRungs, func(r matMulRung) bool { return r.shader == rung })
	check(i >= 0, "MatMul", "no rung %s", rung)
	return matMulRungs[i]
}

func anywhere(engine.Info, Precision) bool { return true }

// in256: Vulkan promises workgroups of 128 invocations only.
func in256(i engine.Info, _ Precision) bool { return i.MaxInvocations >= 256 }

// oneTile is for the rungs whose shaders have their sizes written in.
func oneTile(t matMulTile) func(engine.Info, Precision) []matMulTile {
	return func(engine.Info, Precision) []matMulTile { return []matMulTile{t} }
}

// narrowTile is 04_narrow's, each lane having four columns: 16 lanes where the subgroup has as many, else eight.
func narrowTile(info engine.Info, _ Precision) []matMulTile {
	lanes := 8
	if info.SubgroupSize >= 16 {
		lanes = 16
	}
	return []matMulTile{{bm: 32, bn: 4 * lanes, local: lanes, quads: true, tail: 4, spec: []uint32{uint32(lanes)}}}
}

// vectorTiles are 03_vector's, by the blocks of 4 x 4 sums along each side of what an invocation computes. The large one needs
// half a KiB more shared memory than every device has.
func vectorTiles(info engine.Info, _ Precision) (tiles []matMulTile) {
	for blocks := 1; blocks <= 2; blocks++ {
		const step = 16 // along K
		if shared := 2 * step * 16 * (16*blocks + 1); blocks > 1 && shared > info.SharedMemory {
			break
		}
		tiles = append(tiles, matMulTile{bm: 64 * blocks, bn: 64 * blocks, local: 256, quads: true, spec: []uint32{uint32(blocks)}})
	}
	return tiles
}

// fragment returns the first shape of cooperative matrices, which drivers list best first, that multiplies operands of a
// precision into fp32 and divides the tiles below.
func fragment(info engine.Info, precision Precision) (shape engine.CoopMat, ok bool) {
	operand := fragmentTypes[precision]
	for _, c := range info.CoopMat {
		if operand != "" && c.A == operand && c.B == operand && c.C == "f32" && c.R == "f32" && 16%c.M == 0 && 16%c.N == 0 && 16%c.K == 0 {
			return c, true
		}
	}
	return engine.CoopMat{}, false
}

// fragmentTypes are the operands that there are shaders for.
var fragmentTypes = map[Precision]string{FP16: "f16", BF16: "bf16"}

// halfSums reports whether fragments of sums can be converted to halves of a precision, to be stored as such, and back.
func halfSums(info engine.Info, precision Precision) bool {
	f, ok := fragment(info, precision)
	f.C, f.R = f.A, f.A
	return ok && slices.Contains(info.CoopMat, f)
}

func hasFragment(info engine.Info, precision Precision) bool {
	_, ok := fragment(info, precision)
	enabled := precision == FP16 && info.Float16 || precision == BF16 && info.BFloat16
	return ok && enabled && info.SubgroupSize <= 64 && len(coopMatTiles(info, precision)) > 0
}

// hasPerElement reports whether a device can run 07_coopmat2.
func hasPerElement(info engine.Info, precision Precision) bool {
	return precision == FP16 && hasFragment(info, precision) && info.CoopMat2.PerElement
}

// coopMatTiles returns the tiles of 05_coopmat that a device has the invocations and the shared memory for.
func coopMatTiles(info engine.Info, precision Precision) (tiles []matMulTile) {
	for _, t := range [][5]int{{32, 32, 16, 4, 2}, {64, 64, 32, 4, 2}, {128, 128, 32, 8, 2}} {
		if tile, ok := coopMatTile(info, precision, t); ok {
			tiles = append(tiles, tile)
		}
	}
	return tiles
}

// prefetchTiles returns those of 06_prefetch and of the rung above it: first as memory lies, small to large, then those that turn
// operands on their way into shared memory.
func prefetchTiles(info engine.Info, precision Precision) (tiles []matMulTile) {
	for _, turn := range []bool{false, true} {
		for _, t := range [][5]int{{32, 32, 16, 4, 2}, {64, 64, 32, 4, 2}, {128, 128, 32, 8, 2}, {128, 256, 32, 8, 4}} {
			tile, ok := coopMatTile(info, precision, t)
			if tile.tail, tile.direct, tile.turned = t[2], true, turn; turn && min(t[0], t[1])*t[2]%(16*tile.local) != 0 {
				continue // an invocation turns blocks of 4 x 4
			}
			if tile.spec = append(tile.spec, flag(turn), flag(!info.CPU())); ok {
				tiles = append(tiles, tile)
			}
		}
	}
	return tiles
}

// coopMatTile is a tile of the rungs on matrix units: rows, columns, step along K, subgroups, subgroups along N. ok is false where
// the device lacks invocations or shared memory.
func coopMatTile(info engine.Info, precision Precision, t [5]int) (tile matMulTile, ok bool) {
	f, _ := fragment(info, precision)
	u := func(n int) uint32 { return uint32(n) }
	bm, bn, bk, subgroups, columns := t[0], t[1], t[2], t[3], t[4]
	if info.SubgroupSize == 64 { // twice the registers a subgroup, and too few fours in a slice of the small tile otherwise
		subgroups, columns = subgroups/2, min(columns, 2)
	}
	local := subgroups * info.SubgroupSize
	// The slices in halves, with 8 behind each row, at most, and a fragment of C for each subgroup.
	shared := 2*(bm*(bk+8)+bn*(bk+8)) + 4*subgroups*f.M*f.N
	return matMulTile{bm: bm, bn: bn, local: local, quads: true,
			spec: []uint32{u(f.M), u(f.N), u(f.K), u(bm), u(bn), u(bk), u(subgroups), u(columns)}},
		local <= info.MaxInvocations && shared <= info.SharedMemory
}

// MatMulRungsOn returns the rungs that a device can run with operands of a precision, from the foot of the ladder up.
func MatMulRungsOn(info engine.Info, precision Precision) (names []string) {
	for _, r := range matMulRungs {
		if r.runs(info, precision) {
			names = append(names, r.shader)
		}
	}
	return names
}

// MatMulLaunches tells everything that a MatMulChoice refers to by a number, in text: when it changes, choices mean something else.
func MatMulLaunches(info engine.Info, precision Precision) string {
	text := ""
	for _, rung := range MatMulRungsOn(info, precision) {
		text += fmt.Sprintln(rung, findRung(rung).tiles(info, precision))
	}
	return text
}
