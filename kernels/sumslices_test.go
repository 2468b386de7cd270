// SPDX-License-Identifier: MIT

package kernels_test

import (
	"math"
	"slices"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

// TestSumSlices: to the bit what the reference computes in fp32, because the order of the sum is promised: around the cuts of a
// workgroup, one slice and many, with every epilogue, rows apart, on values of all kinds.
func TestSumSlices(t *testing.T) {
	for i, s := range [][3]int{{1, 1, 1}, {2, 1, 1023}, {3, 2, 1024}, {8, 3, 1025}, {5, 7, 37}, {2, 130, 768}, {16, 1, 4099}} {
		n, M, N := s[0], s[1], s[2]
		for bits := range 8 {
			h, rnd := kerneltest.New(t), kerneltest.NewRand(uint64(8*i+bits))
			accumulate, bias, residual := bits&1 != 0, bits&2 != 0, bits&4 != 0
			pv, cv, bv, rv := rnd.Normal(n*M*N), rnd.Normal(M*N), rnd.Normal(N), rnd.Normal(M*N)
			for j := range pv {
				pv[j] *= [...]float32{1, 0, 1e-30, 1e30, 1}[(j+bits)%5]
			}
			pv[len(pv)/2] += 1e6
			want := slices.Clone(cv)
			if !accumulate {
				for j := range cv {
					cv[j] = float32(math.NaN())
				}
			}
			lay := layout{gap: 4 * (bits % 3), off: bits % 2}
			c, r := rows(h, cv, lay, N, M, N), rows(h, rv, layout{gap: bits % 2, off: 3 * (bits % 2)}, N, M, N)
			part, b := h.Input(pv, n, M, N), h.Input(bv, N)
			o := kernels.MatMulOptions{Accumulate: accumulate}
			var wb, wr []float32
			if bias {
				o.Bias, wb = &b, bv
			}
			if residual {
				o.Residual, wr = &r.Tensor, rv
			}
			h.Run(func(p *engine.Program) { kernels.SumSlices(p, c.Tensor, part, o) })
			ref.SumSlices(want, pv, wb, wr, n, M, N, accumulate)
			if got := c.values(t); !slices.Equal(bitsOf(got), bitsOf(want)) {
				t.Errorf("%d slices, %dx%d, accumulate %v, bias %v, residual %v: not the sum in order", n, M, N, accumulate, bias, residual)
			}
		}
	}
}
