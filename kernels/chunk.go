// SPDX-License-Identifier: MIT

package kernels

import (
	"fmt"
	"slices"

	"jitvk/engine"
)

// A binding reaches no further than the device's MaxStorageBufferRange (128 MiB on lavapipe) and starts at a multiple of
// 256 bytes. Ops on long tensors are therefore cut into pieces, one dispatch each.

const bindingAlign = 256 // bytes

// rangeLimit, when not 0, stands in for the device's limit, in bytes. Tests set it to cut small tensors.
var rangeLimit int64

// bindingLimit is how many bytes a binding reaches.
func bindingLimit(p *engine.Program) int64 {
	if rangeLimit != 0 {
		return rangeLimit
	}
	return p.Info().MaxStorageBufferRange
}

// span is a piece of a tensor: items first to first+n-1 of its rows or elements.
type span struct{ first, n int }

// spans cuts items into pieces that fit into one binding. width is how many 32-bit words an item has in each of the tensors
// that are cut. Every piece but the last is a multiple of quantum items.
func spans(p *engine.Program, op string, items, quantum int, width ...int) []span {
	limit := bindingLimit(p)
	check(items > 0 && items <= maxElements, op, "%d items: 1 to %d wanted", items, int64(maxElements))
	widest := 0
	for _, w := range width {
		check(w > 0 && w <= maxElements, op, "items of %d words: 1 to %d wanted", w, int64(maxElements))
		widest = max(widest, w)
		const words = bindingAlign / 4
		quantum = lcm(quantum, words/gcd(words, w)) // a piece of so many items is a multiple of 256 bytes
	}
	most := int(limit / 4 / int64(widest))
	if most < items {
		most -= most % quantum
		if most == 0 { // no picture is cut in two
			p.Fail(&engine.LimitError{Limit: engine.LimitBinding, Who: fmt.Sprintf("%s, for the least that it can do at a time,", op),
				Asked: 4 * int64(quantum) * int64(widest), Allows: limit, Device: p.Info().Name})
			most = items
		}
	}
	var out []span
	for first := 0; first < items; first += most {
		out = append(out, span{first, min(most, items-first)})
	}
	return out
}

// flat calls record for each piece of contiguous tensors of one length, with the pieces in the same order.
func flat(p *engine.Program, op string, record func(n int, ts []Tensor), ts ...Tensor) {
	for _, s := range spans(p, op, same(op, ts...), 1, 1) {
		parts := make([]Tensor, len(ts))
		for i, t := range ts {
			parts[i] = piece(t, s, 1)
		}
		record(s.n, parts)
	}
}

// gpuShapes, when set, has a CPU driver take the workgroups that GPUs take. Tests set it.
var gpuShapes bool

// subgroupWorkgroups reports whether workgroups are a subgroup each, as a CPU driver wants them.
func subgroupWorkgroups(p *engine.Program) bool { return p.Info().CPU() && !gpuShapes }

// blockSize returns how many elements one workgroup of an elementwise shader owns: 1024, which the shaders' error bounds
// count on, or as many as it has lanes.
func blockSize(p *engine.Program) int { return max(1024, localSize(p)) }

// blocked records an elementwise shader whose workgroups each stay within one of n rows of width elements. It is the
// shader's group / blocks that tells the row, and blocks, ceil(width / block size), is among its push constants.
func blocked(p *engine.Program, shader string, n, width int, push any, spec []uint32, bind ...engine.Binding) {
	elementwise(p, shader, n*ceilDiv(width, blockSize(p))*blockSize(p), push, spec, bind...)
}

// single records a shader of n invocations, one element each, for ops too small to give an invocation several.
func single(p *engine.Program, shader string, n int, push any, spec []uint32, bind ...engine.Binding) {
	local := localSize(p)
	p.Dispatch(engine.Dispatch{Shader: shader, Spec: append([]uint32{uint32(local), 1}, spec...), Groups: grid(ceilDiv(n, local)),
		Push: push, Bind: bind, FLOPs: float64(n)})
}

// vec returns how many floats an invocation moves at a time: VEC of shaders/vec.glsl, 4 or 1. It is for shaders whose lanes are
// neighbours in memory. floats are all lengths, distances and offsets of the rows that the shader meets; four at a time needs each
// of them to be a multiple of four.
//
// Mesa's CPU driver from version 26 on gets 1. It loads a word for each lane with one gather instruction, so four words a lane cost
// four gathers, and a gather is fastest where the lanes' words lie side by side.
func vec(p *engine.Program, floats ...int) uint32 {
	var mesa int
	if _, err := fmt.Sscanf(p.Info().Driver, "llvmpipe Mesa %d", &mesa); err == nil && mesa > 25 && subgroupWorkgroups(p) {
		return 1
	}
	return fours(floats...)
}

// vecOf is vec for a shader that meets tensors which may be in halves: those move in fours, or its op has panicked.
func vecOf(p *engine.Program, ts []Tensor, floats ...int) uint32 {
	if slices.ContainsFunc(ts, func(t Tensor) bool { return t.Precision != FP32 }) {
		return fours(floats...)
	}
	return vec(p, floats...)
}

// fours is VEC where lanes are far from each other anyway, or where loads are the least of the work.
func fours(floats ...int) uint32 {
	for _, n := range floats {
		if n%4 != 0 {
			return 1
		}
	}
	return 4
}

// localSize returns the invocations of one workgroup of an elementwise shader.
func localSize(p *engine.Program) int {
	if subgroupWorkgroups(p) {
		return p.Info().SubgroupSize
	}
	return workgroupSize(p.Info())
}

// workgroupSize is 256, or less where the device allows no more: a power of two, as subgroups are, of which Vulkan promises 128.
func workgroupSize(info engine.Info) int {
	if info.MaxInvocations < 256 {
		return 128
	}
	return 256
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func lcm(a, b int) int { return a / gcd(a, b) * b }
