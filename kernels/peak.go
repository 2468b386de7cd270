// SPDX-License-Identifier: MIT

package kernels

import (
	"slices"

	"jitvk/engine"
)

// What shaders/peak repeats: x = a x + b for fp32, where a keeps x bounded and its rounding errors from adding up, and
// X = A B + X with constant matrices whose products are exact for the matrix unit.
const (
	peakA, peakB      = 1 - 1.0/64, 1.0
	peakFill          = 1.0 / 16 // of A and B
	peakChainsFMA     = 12       // CHAINS in the shaders
	peakChainsMatrix  = 8
	peakStepsMultiple = 8 // of UNROLL
)

type peakPush struct {
	Count, Steps uint32
	A, B         float32
}

// Peak measures a device: steps multiply-adds in each of several independent chains, fed from registers and by no memory, so
// that its rate is the most that a kernel can reach. y is written so that nothing is optimised away.
//
// For FP32 they are fused multiply-adds of the lanes, and y is of any shape. For FP16 they are products of the matrix unit,
// a chain an accumulator, and y is (N,M,N) for N subgroups' fragments: PeakFragment says of what shape, and where there is
// a matrix unit. steps is a multiple of 8.
func Peak(p *engine.Program, y Tensor, precision Precision, steps int) {
	check(steps > 0 && steps%peakStepsMultiple == 0, "Peak", "%d steps; a multiple of %d wanted", steps, peakStepsMultiple)
	if precision == FP32 {
		flat(p, "Peak", func(n int, t []Tensor) {
			local := localSize(p)
			p.Dispatch(engine.Dispatch{Shader: "peak/fma", Spec: []uint32{uint32(local)}, Groups: grid(ceilDiv(n, local)),
				Push: peakPush{uint32(n), uint32(steps), peakA, peakB}, Bind: []engine.Binding{t[0].Write()},
				FLOPs: 2 * peakChainsFMA * float64(n) * float64(steps)})
		}, y)
		return
	}
	f, ok := PeakFragment(p.Info(), precision)
	check(ok, "Peak", "%v has no matrix unit for %v operands", p.Info(), precision)
	PeakMatrix(p, y, f, steps)
}

// PeakMatrix is Peak for fragments of a shape that the device has for fp16 operands and fp32 sums. y is (N,M,N).
func PeakMatrix(p *engine.Program, y Tensor, f engine.CoopMat, steps int) {
	check(steps > 0 && steps%peakStepsMultiple == 0, "Peak", "%d steps; a multiple of %d wanted", steps, peakStepsMultiple)
	check(slices.Contains(p.Info().CoopMat, f), "Peak", "%v has no matrix unit for %v", p.Info(), f)
	check(len(y.Shape) == 3 && y.Shape[1] == f.M && y.Shape[2] == f.N && y.Contiguous(), "Peak", "y %v: (N,%d,%d) wanted", y, f.M, f.N)
	for _, s := range spans(p, "Peak", y.Shape[0], 64, f.M*f.N) { // chains begin at their fragment's number mod 64
		const subgroups = 4
		p.Dispatch(engine.Dispatch{Shader: "peak/coopmat",
			Spec:   []uint32{uint32(subgroups * p.Info().SubgroupSize), uint32(f.M), uint32(f.N), uint32(f.K)},
			Groups: grid(ceilDiv(s.n, subgroups)), Push: peakPush{uint32(s.n), uint32(steps), peakFill, peakFill},
			Bind:  []engine.Binding{piece(y, s, f.M*f.N).Write()},
			FLOPs: 2 * peakChainsMatrix * float64(s.n*f.M*f.N*f.K) * float64(steps)})
	}
}

// PeakFragments returns all shapes that the device's matrix unit multiplies with the operands and sums of PeakFragment's, which is the
// first; none where it has none.
func PeakFragments(info engine.Info, precision Precision) (shapes []engine.CoopMat) {
	f, ok := PeakFragment(info, precision)
	if !ok {
		return nil
	}
	shapes = []engine.CoopMat{f}
	for _, c := range info.CoopMat {
		if c.A == f.A && c.B == f.B && c.C == f.C && c.R == f.R && !slices.Contains(shapes, c) {
			shapes = append(shapes, c)
		}
	}
	return shapes
}

// PeakFragment returns the shape of the fragments that the device's matrix unit multiplies in a precision; ok is false where
// it has none.
func PeakFragment(info engine.Info, precision Precision) (shape engine.CoopMat, ok bool) {
	shape, ok = fragment(info, precision)
	return shape, ok && precision == FP16 // what there is a shader for
}
