// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

// product is one case of MatMul with everything that can vary: gaps between rows, batches, epilogues.
type product struct {
	batch, M, N, K                 int // batch 0: two-dimensional
	transA, transB                 bool
	accumulate, bias, residual     bool
	rowSum, addRowSum              bool
	gapA, gapB, gapC, gapR, offset int // elements between rows, and before the first
	precision                      kernels.Precision
	halfA, halfB, halfC            bool // in memory
	choice                         *kernels.MatMulChoice
}

func (x product) String() string {
	form := [...]string{"NN", "NT", "TN", "TT"}[2*b2i(x.transA)+b2i(x.transB)]
	s := fmt.Sprintf("%v/%s/%dx%dx%dx%d/acc=%v,bias=%v,res=%v,sum=%v,add=%v/gaps=%d,%d,%d,%d+%d/halves=%v,%v,%v", x.precision, form,
		x.batch, x.M, x.N, x.K,
		x.accumulate, x.bias, x.residual, x.rowSum, x.addRowSum, x.gapA, x.gapB, x.gapC, x.gapR, x.offset, x.halfA, x.halfB,
		x.halfC)
	if x.choice != nil {
		s += fmt.Sprintf("/%+v", *x.choice)
	}
	return s
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// run computes the case on the device, holds it against the float64 reference and returns what the device wrote: c, and the
// row sums behind it.
func (x product) run(t *testing.T) []float32 {
	t.Helper()
	h, rnd := kerneltest.New(t), kerneltest.NewRand(uint64(x.M+1000*x.N+7*x.K))
	nan := float32(math.NaN())
	batch := max(x.batch, 1)
	// tensor uploads dense rows with gaps of NaN between them: a kernel that reads a gap shows.
	tensor := func(dense []float32, rows, cols, gap int, half bool) kernels.Tensor {
		wide := slices.Repeat([]float32{nan}, x.offset)
		for r := range batch * rows {
			wide = append(append(wide, dense[r*cols:][:cols]...), slices.Repeat([]float32{nan}, gap)...)
		}
		memory := kernels.FP32
		if half {
			memory = x.precision
		}
		out := h.InputIn(memory, wide, len(wide))
		if out.Shape = []int{rows, cols}; x.batch > 0 {
			out.Shape = []int{x.batch, rows, cols}
		}
		if out.Off = x.offset; gap > 0 {
			out.Ld = cols + gap
		}
		return out
	}
	av, bv, cv := rnd.Normal(batch*x.M*x.K), rnd.Normal(batch*x.K*x.N), rnd.Normal(batch*x.M*x.N)
	biasV, resV := rnd.Normal(x.N), rnd.Normal(batch*x.M*x.N)
	if !x.accumulate {
		for i := range cv {
			cv[i] = nan
		}
	}
	rows := func(swap bool, r, c int) (int, int) {
		if swap {
			return c, r
		}
		return r, c
	}
	ar, ac := rows(x.transA, x.M, x.K)
	br, bc := rows(x.transB, x.K, x.N)
	a, b, c := tensor(av, ar, ac, x.gapA, x.halfA), tensor(bv, br, bc, x.gapB, x.halfB), tensor(cv, x.M, x.N, x.gapC, x.halfC)
	o := kernels.MatMulOptions{TransA: x.transA, TransB: x.transB, Accumulate: x.accumulate, Precision: x.precision, Choice: x.choice}
	ro := ref.MatMulOptions[float64]{TransA: x.transA, TransB: x.transB, Accumulate: x.accumulate, Round: rounding(x.precision)}
	if x.bias {
		bias := h.Input(biasV, x.N)
		o.Bias, ro.Bias = &bias, kerneltest.Widen(biasV)
	}
	if x.residual {
		res := tensor(resV, x.M, x.N, x.gapR, false)
		o.Residual = &res
	}
	sums, sumV := h.Output(x.M), make([]float32, x.M) // NaN where they are not added to
	if x.rowSum {
		if x.addRowSum {
			sumV = rnd.Normal(x.M)
			sums = h.Input(sumV, x.M)
		}
		o.RowSum, o.AddRowSum = &sums, x.addRowSum
		ro.RowSum, ro.AddRowSum = kerneltest.Widen(sumV), true
	}
	h.Run(func(p *engine.Program) { kernels.MatMul(p, c, a, b, o) })

	// The product, and that of the magnitudes.
	want, scale := kerneltest.Widen(cv), magnitudes(cv)
	var positive ref.MatMulOptions[float64]
	for z := range batch {
		at, a, b := z*x.M*x.N, av[z*x.M*x.K:][:x.M*x.K], bv[z*x.K*x.N:][:x.K*x.N]
		positive = ro
		if x.residual {
			ro.Residual, positive.Residual = kerneltest.Widen(resV[at:][:x.M*x.N]), magnitudes(resV[at:][:x.M*x.N])
		}
		if x.bias {
			positive.Bias = magnitudes(biasV)
		}
		if x.rowSum {
			positive.RowSum = magnitudes(sumV)
		}
		ref.MatMul(want[at:][:x.M*x.N], kerneltest.Widen(a), kerneltest.Widen(b), x.M, x.N, x.K, ro)
		ref.MatMul(scale[at:][:x.M*x.N], magnitudes(a), magnitudes(b), x.M, x.N, x.K, positive)
	}
	wide := h.Floats(c)
	got := make([]float32, 0, len(want))
	for i, v := range wide {
		if i -= x.offset; i < 0 || i%(x.N+x.gapC) >= x.N {
			if v == v {
				t.Fatalf("%v: float %d of a gap in c was overwritten with %v", x, i, v)
			}
			continue
		}
		got = append(got, v)
	}
	stored := kernels.FP32
	if x.halfC {
		stored = x.precision
	}
	withinStored(t, x.String(), got, want, scale, x.K, stored)
	if x.rowSum {
		got = append(got, h.Floats(sums)...)
		within(t, x.String()+" row sums", got[len(want):], ro.RowSum, positive.RowSum, x.K)
	}
	return got
}

// within demands |got-want| <= bound for every element, where want is the exact sum of exact products.
//
// The derivation. The shader and the reference round operands alike, and both the product of two fp16 (11 bits) and of two
// bf16 numbers (8 bits) are exact in fp32 (24 bits). So what differs is K + 3 additions (K products, bias, residual, c) in
// fp32. In whatever order they are made, each partial sum is rounded by a factor 1+d, |d| <= u, and a term meets at most
// K + 3 roundings, of which fp32 operands add one for the product where no fused multiply-add is used:
//
//	|got - want| <= ((1+u)^(K+4) - 1) S,   S = sum |a||b| + |bias| + |residual| + |c|    (Higham, 2002, section 3.1)
//
// u is 2^-24 for an addition that rounds. A matrix unit may cut off instead, which is 2^-23: Vulkan leaves its internal
// precision to the device, and this is the loosest that sums in fp32 can be. Sums below 2^-126 may be flushed to zero.
func within(t *testing.T, name string, got []float32, want, scale []float64, K int) {
	t.Helper()
	withinStored(t, name, got, want, scale, K, kernels.FP32)
}

// withinStored is within for what was rounded once more, to the precision that it lies in.
func withinStored(t *testing.T, name string, got []float32, want, scale []float64, K int, stored kernels.Precision) {
	t.Helper()
	u := 0x1p-24
	if matrixUnit(t) {
		u = 0x1p-23
	}
	// The comparator's scale is |want| + Terms, the bound's is S.
	for i := range scale {
		scale[i] = max(0, scale[i]-math.Abs(want[i]))
	}
	b := kerneltest.Bound{Abs: float64(K+4) * 0x1p-126, Rel: math.Expm1(float64(K+4) * math.Log1p(u)), Terms: scale}
	kerneltest.Check(t, kerneltest.Case{Name: name}, got, want, storedIn(stored, b))
}

// matrixUnit reports whether the rung under test multiplies on one.
func matrixUnit(t *testing.T) bool {
	return strings.Contains(t.Name(), "coopmat") || strings.Contains(t.Name(), "prefetch")
}

// rounding is what the reference does to operands.
func rounding(p kernels.Precision) func(float64) float64 {
	return [...]func(float64) float64{kernels.FP32: nil, kernels.FP16: ref.FP16[float64], kernels.BF16: ref.BF16[float64]}[p]
}

func magnitudes(x []float32) []float64 {
	out := kerneltest.Widen(x)
	for i, v := range out {
		out[i] = math.Abs(v)
	}
	return out
}

// eachRung runs f for each rung of the ladder and the first few precisions that it has on this device; that a folder's rung
// is missing from the table fails.
func eachRung(t *testing.T, most int, f func(t *testing.T, precision kernels.Precision)) {
	files, err := filepath.Glob("../shaders/matmul/[0-9]*.comp")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(file string) bool { return strings.HasSuffix(file, "_bf16.comp") }) // a rung's other shader
	for i, file := range files {
		files[i] = "matmul/" + strings.TrimSuffix(filepath.Base(file), ".comp")
	}
	if rungs := kernels.MatMulRungs(); !slices.Equal(files, rungs) {
		t.Fatalf("shaders/matmul holds %q, kernels/matmul.go knows %q", files, rungs)
	}
	for _, rung := range files {
		t.Run(filepath.Base(rung), func(t *testing.T) {
			precisions := kernels.MatMulPrecisions(rung, kerneltest.Device(t).Info())
			if len(precisions) == 0 {
				t.Skipf("%v lacks what %s needs; make test-coopmat has it", kerneltest.Device(t).Info(), rung)
			}
			for _, p := range precisions[:min(most, len(precisions))] {
				t.Run(p.String(), func(t *testing.T) {
					kernels.WithMatMul(rung, func() { f(t, p) })
				})
			}
		})
	}
}

// inTurns are the rungs that no CPU driver is given and that compile for long.
var inTurns = []string{"matmul/01_tiled", "matmul/02_register", "matmul/03_vector"}

// inTurn reports whether the rung under test has case i: without the whole sweep those above share the cases out, every third to
// each. 00_naive, which compiles in no time, 04_narrow, which CPU drivers run, and matrix units have them all, so that every line
// that rungs share meets every case; and in the whole sweep, which CI runs, so has every rung.
func inTurn(t *testing.T, i int) bool {
	turn := slices.IndexFunc(inTurns, func(rung string) bool { return strings.Contains(t.Name(), "/"+path.Base(rung)) })
	return turn < 0 || i%len(inTurns) == turn || kerneltest.All()
}

var forms = [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}}

// TestMatMulSizes: every transpose case at sizes around the tiles' edges (narrow 32 x 32 x 4, tiled 64 x 64 x 16), primes,
// vectors, and shapes of the models.
//
// Without the whole sweep it leaves out sizes where only some operands can be read in fours, or K alone has a tail, as each such
// mixture is a shader of its own (TestMatMulStrides has mixtures), and half precisions, which TestMatMulHalves has.
func TestMatMulSizes(t *testing.T) {
	sizes := [][3]int{{1, 1, 1}, {1, 2, 3}, {31, 31, 3}, {32, 32, 4}, {33, 33, 5}, {20, 36, 7}, {4, 4, 1}, {12, 20, 18}, {63, 65, 17},
		{64, 64, 16}, {65, 63, 15},
		{37, 41, 43}, {1, 384, 128}, {128, 1, 64}, {48, 96, 441}, {128, 344, 128}}
	most := 3
	if !kerneltest.All() {
		most = 1
		sizes = [][3]int{{1, 1, 1}, {1, 2, 3}, {31, 31, 3}, {32, 32, 4}, {33, 33, 5}, {63, 65, 17}, {64, 64, 16}, {65, 63, 15},
			{37, 41, 43}, {128, 344, 128}}
	}
	eachRung(t, most, func(t *testing.T, precision kernels.Precision) {
		for i, s := range sizes {
			if precision != kernels.FP32 && i%2 == 1 && !matrixUnit(t) {
				continue // the same loads and stores as in fp32
			}
			for j, f := range forms {
				if inTurn(t, j) {
					product{M: s[0], N: s[1], K: s[2], transA: f[0], transB: f[1], precision: precision}.run(t)
				}
			}
		}
	})
}

// TestMatMulEpilogues, in one precision because rounding happens at the loads and not here: bias, residual and accumulation in every
// combination, where rows can be read in fours and not, and where tiles are whole. Without the whole sweep: each pair of them
// (alone they are in other tests), at one of these sizes.
func TestMatMulEpilogues(t *testing.T) {
	eachRung(t, 1, func(t *testing.T, precision kernels.Precision) {
		for _, s := range [][3]int{{18, 36, 12}, {17, 33, 5}, {64, 64, 8}} {
			for bits := range 8 {
				if quickly := [8]int{3: 17, 5: 18, 6: 64}; !kerneltest.All() && quickly[bits] != s[0] || !inTurn(t, bits/2) {
					continue
				}
				x := product{M: s[0], N: s[1], K: s[2], transA: bits%3 == 0, transB: bits%2 == 0, precision: precision}
				x.accumulate, x.bias, x.residual = bits&1 != 0, bits&2 != 0, bits&4 != 0
				x.run(t)
			}
		}
	})
}

// TestMatMulRowSum: in every transpose case, around the tiles' edges, written and added to, with and without vectors. Without the
// whole sweep in fp32, each transpose case at one of the sizes; TestMatMulHalves has row sums of halves.
func TestMatMulRowSum(t *testing.T) {
	most := 3
	if !kerneltest.All() {
		most = 1
	}
	eachRung(t, most, func(t *testing.T, precision kernels.Precision) {
		sizes := [][3]int{{17, 33, 5}, {68, 36, 20}, {1, 1, 1}, {63, 70, 31}}
		if matrixUnit(t) { // whose pipelines compile for long on a CPU driver
			sizes = sizes[:2]
		}
		for i, s := range sizes {
			for j, f := range forms {
				if !kerneltest.All() && i != j || !inTurn(t, i) {
					continue
				}
				x := product{M: s[0], N: s[1], K: s[2], transA: f[0], transB: f[1], precision: precision, rowSum: true}
				x.addRowSum, x.bias = i%2 == 1, i == 1
				x.run(t)
			}
		}
		if inTurn(t, 3) {
			product{M: 20, N: 36, K: 8, offset: 4, gapA: 4, gapB: 8, gapC: 7, precision: precision, rowSum: true}.run(t)
		}
	})
}

// TestMatMulStrides, in one precision: rows apart, in each operand alone and in all, by multiples of four and not, and batches.
// Without the whole sweep in two transpose cases, NT by sevens, each operand alone too, and TN by fours.
func TestMatMulStrides(t *testing.T) {
	eachRung(t, 1, func(t *testing.T, precision kernels.Precision) {
		for i, f := range forms {
			if !inTurn(t, i) {
				continue
			}
			for j, gap := range []int{4, 7} {
				if quickly := [...]int{-1, 1, 0, -1}; !kerneltest.All() && quickly[i] != j {
					continue
				}
				all := product{M: 20, N: 36, K: 8, transA: f[0], transB: f[1], residual: true, offset: gap, gapA: gap, gapB: gap, gapC: gap,
					gapR: gap, precision: precision}
				all.run(t)
				for _, x := range []product{{gapA: gap}, {gapB: gap}, {gapC: gap}, {gapR: gap, residual: true}} {
					if !kerneltest.All() && i != 1 {
						break
					}
					x.M, x.N, x.K, x.transA, x.transB, x.precision = 20, 36, 8, f[0], f[1], precision
					x.run(t)
				}
				all.batch = 3
				all.run(t)
			}
			product{batch: 5, M: 17, N: 9, K: 6, transA: f[0], transB: f[1], precision: precision}.run(t)
		}
	})
}

// TestMatMulCut: operands beyond one binding's reach give the same numbers in pieces.
func TestMatMulCut(t *testing.T) {
	split := kernels.MatMulChoice{Rung: "matmul/01_tiled", Split: 3}
	for _, x := range []product{
		{M: 200, N: 24, K: 32, transB: true, bias: true, residual: true}, // rows of c
		{M: 200, N: 24, K: 32, accumulate: true},
		{M: 24, N: 20, K: 300, transA: true, bias: true, residual: true}, // terms of the sum
		{M: 24, N: 20, K: 300, transA: true, accumulate: true},
		{M: 24, N: 20, K: 300, transA: true, rowSum: true},
		{M: 24, N: 20, K: 300, transA: true, rowSum: true, addRowSum: true},
		{M: 200, N: 24, K: 32, transB: true, rowSum: true},
		{M: 24, N: 20, K: 300, transA: true, bias: true, rowSum: true, choice: &split}, // and split on top
		{batch: 20, M: 16, N: 16, K: 16, bias: true, residual: true},                   // matrices
		{batch: 20, M: 16, N: 16, K: 16, transA: true, transB: true},
		{M: 200, N: 24, K: 32, transB: true, precision: kernels.FP16, halfA: true, halfB: true, halfC: true}, // in halves
		{M: 24, N: 20, K: 700, transA: true, rowSum: true, precision: kernels.BF16, halfA: true, halfB: true},
		{batch: 20, M: 16, N: 16, K: 16, precision: kernels.FP16, halfB: true},
	} {
		whole := x.run(t)
		kernels.SetRangeLimit(1 << 14)
		cut := x.run(t)
		kernels.SetRangeLimit(0)
		if !x.transA && !slices.Equal(cut, whole) {
			t.Errorf("%v: cut along rows or the batch, and not the same bits", x)
		}
	}
}

// TestMatMulSplit: K in slices, the last of them of one term, of a few, and whole; every transpose case and epilogue, with and
// without vectors; and more slices than there can be. Without the whole sweep each size in one transpose case.
func TestMatMulSplit(t *testing.T) {
	eachRung(t, 1, func(t *testing.T, precision kernels.Precision) {
		choice := kernels.ChooseMatMul(kerneltest.Device(t).Info(), kernels.NewMatMulShape(1, 1, 1, 1),
			kernels.MatMulOptions{Precision: precision})
		for i, s := range [][4]int{{18, 36, 65, 3}, {17, 33, 67, 2}, {20, 40, 128, 4}, {1, 1, 97, 100}, {37, 70, 160, 2}} {
			if choice.Split = s[3]; matrixUnit(t) && i > 1 {
				continue // whose pipelines compile for long on a CPU driver
			}
			for j, f := range forms {
				if !kerneltest.All() && i%4 != j || !inTurn(t, i) {
					continue
				}
				x := product{M: s[0], N: s[1], K: s[2], transA: f[0], transB: f[1], precision: precision, choice: &choice}
				x.accumulate, x.bias, x.residual, x.rowSum, x.addRowSum = (i+j)%2 == 0, (i+j)%3 == 0, j%2 == 0, j > 0, j > 1
				if j == 3 {
					x.gapA, x.gapB, x.gapC, x.gapR, x.offset = 4, 8, 7, 4, 4
				}
				first := x.run(t)
				if !slices.Equal(x.run(t), first) {
					t.Errorf("%v: two runs differ", x)
				}
			}
		}
	})
}

// TestMatMulSplitWork: a split is one dispatch more, or two where there are row sums; and it is not made where a slice would
// hold all of K, or where its products would not fit into a binding.
func TestMatMulSplitWork(t *testing.T) {
	h := kerneltest.New(t)
	c, sums := h.Output(32, 64), h.Output(32)
	for _, x := range []struct {
		K, split int
		rowSum   bool
		limit    int64
		want     int
	}{{320, 1, true, 0, 1}, {320, 2, false, 0, 2}, {320, 2, true, 0, 3}, {32, 2, true, 0, 1}, {33, 2, true, 0, 3},
		{64, 8, false, 1 << 14, 2}, {64, 8, false, 1<<14 - 4, 1}} {
		a, b := h.Output(32, x.K), h.Output(x.K, 64)
		choice := kernels.MatMulChoice{Rung: "matmul/01_tiled", Split: x.split}
		o := kernels.MatMulOptions{Choice: &choice}
		if x.rowSum {
			o.RowSum = &sums
		}
		kernels.SetRangeLimit(x.limit)
		p := engine.NewProgram(kerneltest.Device(t), "split")
		kernels.MatMul(p, c, a, b, o)
		kernels.SetRangeLimit(0)
		if p.Len() != x.want {
			t.Errorf("%+v: %d dispatches", x, p.Len())
		}
		p.Close()
	}
}

// TestMatMulTileOrder: the order in which a GPU's workgroups walk C's tiles, each of them once: one group of rows, several, the
// last of them ragged, and a single column.
func TestMatMulTileOrder(t *testing.T) {
	eachRung(t, 1, func(t *testing.T, precision kernels.Precision) {
		kernels.SetGPUShapes(true)
		defer kernels.SetGPUShapes(false)
		info := kerneltest.Device(t).Info()
		choice := kernels.ChooseMatMul(info, kernels.NewMatMulShape(1, 1, 1, 1), kernels.MatMulOptions{Precision: precision})
		bm, bn := kernels.MatMulTile(choice, info, precision)
		for _, tiles := range [][2]int{{8, 2}, {19, 3}, {5, 4}, {9, 1}} {
			product{M: tiles[0]*bm - 1, N: tiles[1]*bn - 1, K: 3, precision: precision, rowSum: true, choice: &choice}.run(t)
		}
	})
}

// TestMatMulLeadingDims: a weight applied to (B,T,C) sees B*T rows, and its gradient sums over them.
func TestMatMulLeadingDims(t *testing.T) {
	const B, T, C, O = 2, 5, 8, 12
	h, rnd := kerneltest.New(t), kerneltest.NewRand(1)
	xv, wv := rnd.Normal(B*T*C), rnd.Normal(O*C)
	x, w, y, dw := h.Input(xv, B, T, C), h.Input(wv, O, C), h.Output(B, T, O), h.Output(O, C)
	h.Run(func(p *engine.Program) {
		kernels.MatMul(p, y, x, w, kernels.MatMulOptions{TransB: true})
		kernels.MatMul(p, dw, y, x, kernels.MatMulOptions{TransA: true})
	})
	yr, dwr := make([]float64, B*T*O), make([]float64, O*C)
	ref.MatMul(yr, kerneltest.Widen(xv), kerneltest.Widen(wv), B*T, O, C, ref.MatMulOptions[float64]{TransB: true})
	ref.MatMul(dwr, yr, kerneltest.Widen(xv), O, C, B*T, ref.MatMulOptions[float64]{TransA: true})
	kerneltest.Equal(t, "y", h.Floats(y), yr, 1e-5)
	kerneltest.Equal(t, "dw", h.Floats(dw), dwr, 1e-5)
}

// TestMatMulHalves: operands in halves, either or both, give the bits of operands that are rounded as they are loaded: in every
// transpose case, around the tiles' edges, with rows apart, in batches, and as row sums see them. Without the whole sweep three of
// the twelve: the left operand, the right, both. A c in halves has those bits, rounded; without the sweep the one with rows apart.
func TestMatMulHalves(t *testing.T) {
	eachRung(t, 3, func(t *testing.T, precision kernels.Precision) {
		if precision == kernels.FP32 {
			t.Skip("there are none")
		}
		for i, s := range [][3]int{{20, 36, 8}, {68, 28, 20}, {4, 4, 4}} {
			for j, f := range forms {
				if quickly := [...]int{2, 3, 1}; !kerneltest.All() && quickly[i] != j || !inTurn(t, i+int(precision)) {
					continue
				}
				x := product{M: s[0], N: s[1], K: s[2], transA: f[0], transB: f[1], precision: precision}
				switch i {
				case 0:
					x.rowSum = true
				case 1:
					x.gapA, x.gapB, x.gapC, x.offset = 4, 8, 4, 12
				case 2:
					x.batch = 3
				}
				want := x.run(t)
				halves := (i + j) % 3
				x.halfA, x.halfB = halves != 0, halves != 1
				if got := x.run(t); !slices.Equal(got, want) {
					t.Errorf("%v: other bits than with fp32 in memory", x)
				}
				if !kerneltest.All() && i != 1 {
					continue
				}
				x.halfC = true
				n := max(x.batch, 1) * x.M * x.N
				if got := x.run(t); !slices.Equal(got, append(kerneltest.Rounded(precision, want[:n]), want[n:]...)) {
					t.Errorf("%v: not the product in fp32, rounded", x)
				}
			}
		}
	})
}

// TestMatMulEveryHalf: every finite number in halves reaches the product as it is, as a and as b. (Those below 2^-126 may be zero.)
func TestMatMulEveryHalf(t *testing.T) {
	eachRung(t, 3, func(t *testing.T, precision kernels.Precision) {
		if precision == kernels.FP32 || !inTurn(t, int(precision)) {
			t.Skip("there are none, or another rung has them")
		}
		var values []float32
		for i := range 1 << 16 {
			v := precision.FromHalf(uint16(i))
			if math.Abs(float64(v)) < 0x1p-126 || !(math.Abs(float64(v)) < 1e38) {
				v = 1
			}
			values = append(values, v)
		}
		const n = 1 << 14 // a quarter, so that 00_naive has few enough rows
		for from := 0; from < len(values); from += n {
			h := kerneltest.New(t)
			one, ones, x := h.Input([]float32{1}, 1, 1), h.Input([]float32{1, 1, 1, 1}, 1, 4), h.InputIn(precision, values[from:][:n], 1, n)
			left, right := h.Output(n, 4), h.Output(1, n)
			h.Run(func(p *engine.Program) {
				kernels.MatMul(p, left, x, ones, kernels.MatMulOptions{TransA: true, Precision: precision})
				kernels.MatMul(p, right, one, x, kernels.MatMulOptions{Precision: precision})
			})
			asA, asB := h.Floats(left), h.Floats(right)
			for i, want := range values[from:][:n] {
				flushed := asA[4*i] == 0 && asB[i] == 0 && math.Abs(float64(want)) < 0x1p-14 && matrixUnit(t) // devices may do so
				if (asA[4*i] != want || asB[i] != want) && !flushed {
					t.Fatalf("%x is %x as a and %x as b", want, asA[4*i], asB[i])
				}
			}
		}
	})
}

// TestMatMulBits: a second run gives the same bits, and a row of c does not depend on how many rows there are.
func TestMatMulBits(t *testing.T) {
	eachRung(t, 3, func(t *testing.T, precision kernels.Precision) {
		if !inTurn(t, int(precision)) {
			t.Skip("another rung has it")
		}
		const M, N, K = 37, 44, 52
		rnd := kerneltest.NewRand(3)
		av, bv := rnd.Normal(M*K), rnd.Normal(N*K)
		run := func(rows int) []float32 {
			h := kerneltest.New(t)
			c, a, b := h.Output(rows, N), h.Input(av[:rows*K], rows, K), h.Input(bv, N, K)
			h.Run(func(p *engine.Program) {
				kernels.MatMul(p, c, a, b, kernels.MatMulOptions{TransB: true, Precision: precision})
			})
			return h.Floats(c)
		}
		first := run(M)
		if !slices.Equal(first, run(M)) {
			t.Error("two runs differ")
		}
		if !slices.Equal(first[:3*N], run(3)) {
			t.Error("three rows alone are not the first three of many")
		}
	})
}

// TestMatMulTiles: every tile of the rungs that have several, inside C and across its edges, though the device would take another.
// Without the whole sweep in every other transpose case.
func TestMatMulTiles(t *testing.T) {
	for rung, precision := range map[string]kernels.Precision{"matmul/03_vector": kernels.FP32, "matmul/05_coopmat": kernels.FP16} {
		t.Run(path.Base(rung), func(t *testing.T) {
			info := kerneltest.Device(t).Info()
			if !slices.Contains(kernels.MatMulPrecisions(rung, info), precision) {
				t.Skipf("%v lacks cooperative matrices; make test-coopmat has them", info)
			}
			for i := range kernels.MatMulTiles(rung, info, precision) {
				for j, f := range forms[:4-i] { // large tiles compile for long on a CPU driver
					if !kerneltest.All() && j%2 != i%2 {
						continue
					}
					choice := kernels.MatMulChoice{Rung: rung, Tile: i, Split: 1}
					product{M: 131, N: 140, K: 36, transA: f[0], transB: f[1], precision: precision, choice: &choice, rowSum: true,
						bias: f[1], accumulate: f[0]}.run(t)
				}
			}
		})
	}
}

// TestMatMulRounding: one term a sum shows the operands as they were rounded, bit for bit: ties, the edges of the formats,
// subnormal numbers, and random bits.
func TestMatMulRounding(t *testing.T) {
	eachRung(t, 3, func(t *testing.T, precision kernels.Precision) {
		if !inTurn(t, int(precision)) {
			t.Skip("another rung has it")
		}
		values := roundingValues(4096)
		round := rounding(precision)
		if round == nil {
			round = func(v float64) float64 { return v }
		}
		values = slices.DeleteFunc(values,
			func(v float32) bool { return math.Abs(float64(v)) < 0x1p-126 || !(math.Abs(round(float64(v))) < 1e38) })
		h, n := kerneltest.New(t), len(values)
		one := h.Input([]float32{1}, 1, 1)
		left, right := h.Output(n, 1), h.Output(1, n)
		column, row := h.Input(values, n, 1), h.Input(values, 1, n)
		h.Run(func(p *engine.Program) {
			kernels.MatMul(p, left, column, one, kernels.MatMulOptions{Precision: precision})
			kernels.MatMul(p, right, one, row, kernels.MatMulOptions{Precision: precision})
		})
		for name, got := range map[string][]float32{"a": h.Floats(left), "b": h.Floats(right)} {
			bad := 0
			for i, v := range values {
				want := float32(round(float64(v)))
				flushed := got[i] == 0 && math.Abs(float64(v)) < 0x1p-14 && matrixUnit(t) // devices may do so
				if got[i] != want && !flushed {
					if bad++; bad <= 5 {
						t.Errorf("%s: %x is rounded to %x, want %x", name, v, got[i], want)
					}
				}
			}
		}
	})
}

// TestMatMulNaN: a NaN of whatever bits stays one where an operand is rounded, on either side: a step that overflowed must show.
// All ones, as NVIDIA's are, would carry into the sign.
func TestMatMulNaN(t *testing.T) {
	eachRung(t, 3, func(t *testing.T, precision kernels.Precision) {
		if !inTurn(t, int(precision)) {
			t.Skip("another rung has it")
		}
		var values []float32
		for _, bits := range []uint32{0x7fffffff, 0xffffffff, 0x7fc00000, 0x7f800001, 0xff800001} {
			values = append(values, math.Float32frombits(bits))
		}
		h, n := kerneltest.New(t), len(values)
		one, left, right := h.Input([]float32{1}, 1, 1), h.Output(n, 1), h.Output(1, n)
		column, row := h.Input(values, n, 1), h.Input(values, 1, n)
		h.Run(func(p *engine.Program) {
			kernels.MatMul(p, left, column, one, kernels.MatMulOptions{Precision: precision})
			kernels.MatMul(p, right, one, row, kernels.MatMulOptions{Precision: precision})
		})
		for name, got := range map[string][]float32{"a": h.Floats(left), "b": h.Floats(right)} {
			for i, v := range got {
				if v == v {
					t.Errorf("%s: %#x became %g", name, math.Float32bits(values[i]), v)
				}
			}
		}
	})
}

// roundingValues are numbers to round: ties, the edges of the formats, subnormal numbers, and some of random bits; of both signs.
func roundingValues(random int) []float32 {
	values := []float32{0, 1, 1 + 0x1p-11, 1 + 0x3p-11, 1 + 0x1p-11 + 0x1p-23, 1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1p-8 - 0x1p-23, 65504,
		65519.996,
		0x1p-14, 0x1p-14 - 0x1p-26, 0x1p-24, 0x1p-25, 0x1.8p-24, 0x1.000002p-25, 0x1.4p-23, 1e-30, 1.0 / 3}
	rnd := kerneltest.NewRand(4)
	for range random {
		values = append(values, math.Float32frombits(uint32(rnd.IntN(1<<31))))
	}
	for _, v := range slices.Clone(values) {
		values = append(values, -v)
	}
	return values
}

// TestMatMulMisuse: what does not fit panics with the shapes.
func TestMatMulMisuse(t *testing.T) {
	d, err := engine.Open(engine.Options{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	p := engine.NewProgram(d, "misuse")
	temp := func(shape ...int) kernels.Tensor { return kernels.Temp(p, "x", shape...) }
	overlapping := temp(4, 8)
	overlapping.Ld = 7
	beyond := temp(4, 8)
	beyond.Off = 1
	bias, residual, late := temp(3), temp(2, 4), temp(4)
	late.Off = 1
	for _, c := range []struct {
		c, a, b kernels.Tensor
		o       kernels.MatMulOptions
		want    string
	}{
		{temp(4, 4), temp(4, 8), temp(4, 8), kernels.MatMulOptions{}, "(4,4) = (4,8) (4,8) does not fit"},
		{temp(4, 5), temp(4, 8), temp(4, 8), kernels.MatMulOptions{TransB: true}, "(4,5) = (4,8) (8,4) does not fit"},
		{temp(4, 4), temp(8), temp(8, 4), kernels.MatMulOptions{}, "two dimensions or more"},
		{temp(4, 4), overlapping, temp(4, 8), kernels.MatMulOptions{TransB: true}, "rows of 8 elements lie 7 apart"},
		{temp(4, 4), beyond, temp(4, 8), kernels.MatMulOptions{TransB: true}, "132 bytes do not fit into 128"},
		{temp(4, 4), temp(4, 8), temp(4, 8), kernels.MatMulOptions{TransB: true, Bias: &bias}, "4 contiguous floats of bias"},
		{temp(4, 4), temp(4, 8), temp(4, 8), kernels.MatMulOptions{TransB: true, Residual: &residual}, "not of c's shape"},
		{temp(4, 4), temp(4, 8), temp(4, 8), kernels.MatMulOptions{TransB: true, Bias: &late}, "4 contiguous floats of bias"},
		{temp(4, 4), temp(4, 8), temp(4, 8), kernels.MatMulOptions{TransB: true, RowSum: &bias}, "row sums (3): 4 contiguous floats"},
		{temp(2, 4, 4), temp(2, 4, 8), temp(2, 8, 4), kernels.MatMulOptions{RowSum: &bias}, "and no batch"},
		{temp(2, 4, 4), temp(3, 4, 8), temp(2, 8, 4), kernels.MatMulOptions{}, "batches of different sizes"},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, c.want) || !strings.Contains(got, "kernels: MatMul: c (") {
					t.Errorf("panic %q, want %q", got, c.want)
				}
			}()
			kernels.MatMul(p, c.c, c.a, c.b, c.o)
		}()
	}
}

// BenchmarkMatMul measures the products of a training step: NT is y = x wᵀ, NN is dx = dy w, TN is dw = dyᵀ x, by M, N, K.
// JITVK_RUNGS=all measures every rung and not only the one that the device gets.
func BenchmarkMatMul(b *testing.B) {
	shapes := [][3]int{{512, 512, 512}, {1024, 384, 128}, {1024, 128, 344}, {1024, 688, 128}, {2048, 1152, 384}, {1024, 384, 1024},
		{512, 96, 96}}
	rungs := []string{""}
	if os.Getenv("JITVK_RUNGS") == "all" {
		rungs = kernels.MatMulRungs()
	}
	for _, rung := range rungs {
		for i, name := range []string{"NN", "NT", "TN"} {
			for _, s := range shapes {
				M, N, K := s[0], s[1], s[2]
				if name == "TN" { // the weight's gradient sums over the tokens
					M, N, K = s[1], s[2], s[0]
				}
				b.Run(fmt.Sprintf("%s/%s/%dx%dx%d", strings.TrimPrefix(rung, "matmul/"), name, M, N, K), func(b *testing.B) {
					kernels.WithMatMul(rung, func() { benchmarkMatMul(b, M, N, K, forms[i]) })
				})
			}
		}
	}
}

func benchmarkMatMul(b *testing.B, M, N, K int, form [2]bool) {
	h, rnd := kerneltest.New(b), kerneltest.NewRand(1)
	x, y, c := h.Input(rnd.Normal(M*K), M, K), h.Input(rnd.Normal(K*N), K, N), h.Output(M, N)
	if form[0] {
		x.Shape = []int{K, M}
	}
	if form[1] {
		y.Shape = []int{N, K}
	}
	p := engine.NewProgram(kerneltest.Device(b), b.Name())
	defer p.Close()
	kernels.MatMul(p, c, x, y, kernels.MatMulOptions{TransA: form[0], TransB: form[1]})
	if err := p.Build(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := p.Submit(nil, nil)
		if err == nil {
			_, err = s.Wait()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(p.FLOPs()/1e9*float64(b.N)/b.Elapsed().Seconds(), "GFLOP/s")
}
