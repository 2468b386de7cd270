// SPDX-License-Identifier: MIT

package kernels

import (
	"fmt"
	"slices"

	"jitvk/engine"
)

// MatMulOptions say which operands are stored transposed, what is added to the product, and what else is computed on the way.
type MatMulOptions struct {
	TransA, TransB bool          // a is (K,M), b is (N,K)
	Accumulate     bool          // add to what c holds
	Bias           *Tensor       // (N), added to every row
	Residual       *Tensor       // (M,N), added; rows may be apart
	RowSum         *Tensor       // (M), gets the sum of each row of op(a); not for a batch
	AddRowSum      bool          // add that to what RowSum holds
	Precision      Precision     // of the product; a and b may be in halves of it
	Rung           string        // a rung by its whole name, "matmul/04_narrow"; "" leaves the choice to JITVK_RUNG and the device
	Choice         *MatMulChoice // how to compute it in every detail, instead of Rung; nil takes what Program.Choose has for the class, or the guess

	swiglu  swigluEpilogue // matmulswiglu.go's
	h       Tensor         // (M,N), rows may be apart
	toValue int            // floats from a gate to its value in c, and in h where that holds both
}

// MatMul is c = op(a) op(b) [+ bias] [+ residual] [+ c], op the identity or the transpose: op(a) (M,K), op(b) (K,N),
// c (M,N). Rows of a, b, c and residual may be apart.
//
// With three-dimensional a, b and c it is a product for each of a batch of matrices: op(a) (B,M,K), op(b) (B,K,N),
// c (B,M,N). Otherwise leading dimensions are rows: with x (B,T,C) and a weight w (O,C), as PyTorch stores it,
// y (B,T,O) = x wᵀ is MatMul(p, y, x, w, {TransB: true}), its gradients are dx = MatMul(dy, w) and
// dw = MatMul(dy, x, {TransA: true}).
//
// With a Precision below FP32 a and b are rounded to it as they are loaded, and their products summed in fp32. Either may be in
// halves of that precision, which were rounded as they were stored: the same product to the bit.
//
// RowSum adds up what is loaded anyway. With dw above it is the gradient of a bias, db = Σ over rows of dy, of which it saves
// reading dy once more; a's elements are rounded there as in the product. ColSum computes db by itself.
//
// A product with few elements and a long K may be split along K, so that a GPU has enough to do: each slice is summed by
// itself, then the slices in order. That gives other bits than the whole, the same ones at each run, within the same bound. As
// the choice depends on M, too, a row of c may then have other bits among other numbers of rows. Unmeasured, a CPU driver splits
// nothing.
//
// The kernels are the rungs of shaders/matmul. Which of them is for Program.Choose to say; guessMatMul has what a device gets
// that nobody has measured, and JITVK_RUNG names another.
func MatMul(p *engine.Program, c, a, b Tensor, o MatMulOptions) {
	fail := func(format string, args ...any) {
		residual, bias := "", ""
		if o.Residual != nil {
			residual = fmt.Sprintf(", residual %v", *o.Residual)
		}
		if o.Bias != nil {
			bias = fmt.Sprintf(", bias %v", *o.Bias)
		}
		check(false, "MatMul", "c %v, a %v (trans %v), b %v (trans %v)%s%s: %s", c, a, o.TransA, b, o.TransB, bias, residual, fmt.Sprintf(format, args...))
	}
	batched := len(a.Shape) == 3 && len(b.Shape) == 3 && len(c.Shape) == 3
	matC, matA, matB := matrixOf(c, batched), matrixOf(a, batched), matrixOf(b, batched)
	matR, matH := matC, matC
	if o.Residual != nil {
		matR = matrixOf(*o.Residual, batched)
	}
	if o.swiglu != noSwiGLU {
		matH, matC.beyond = matrixOf(o.h, batched), max(0, o.toValue)
	}
	if o.swiglu == swigluGradients {
		matH.beyond = matC.beyond
	}
	for _, x := range []matrix{matC, matA, matB, matR, matH} {
		switch {
		case x.rows < 1 || x.cols < 1 || x.batch < 1:
			fail("two dimensions or more wanted, none of them 0")
		case x.ld < x.cols || x.off < 0:
			fail("rows of %d elements lie %d apart", x.cols, x.ld)
		case x.precision != FP32 && (x.precision != o.Precision || !x.quads()):
			fail("%v operands of a product in %v: halves of its precision, in multiples of four, or fp32 wanted", x.precision, o.Precision)
		case x.batch != matC.batch:
			fail("batches of different sizes")
		case x.bytes() > x.Size():
			fail("%d bytes do not fit into %d", x.bytes(), x.Size())
		}
	}
	if matC.precision != FP32 || matR.precision != FP32 || matH.precision != FP32 && !o.swiglu.writesH() {
		fail("only a and b may be in halves")
	}
	M, N, K := matC.rows, matC.cols, matA.cols
	m, k2, n := matA.rows, matB.rows, matB.cols
	if o.TransA {
		m, K = matA.cols, matA.rows
	}
	if o.TransB {
		k2, n = matB.cols, matB.rows
	}
	if m != M || n != N || k2 != K {
		fail("(%d,%d) = (%d,%d) (%d,%d) does not fit", M, N, m, K, k2, n)
	}
	if o.Residual != nil && (matR.rows != M || matR.cols != N) {
		fail("the residual is not of c's shape")
	}
	if b := o.Bias; b != nil && (b.Len() != N || b.Ld != 0 && b.Ld != N || 4*int64(b.Off+N) > b.Range.Size()) {
		fail("%d contiguous floats of bias wanted", N)
	}
	if o.RowSum != nil && (batched || o.RowSum.Len() != M || !o.RowSum.Contiguous()) {
		fail("row sums %v: %d contiguous floats wanted, and no batch", *o.RowSum, M)
	}

	// Operands beyond one binding's reach are cut: a batch into matrices, then rows of c, and K (which adds to c) where it
	// runs along the rows of both operands. What then is still too large, b in the other transpose cases, the engine refuses.
	limit := p.Info().MaxStorageBufferRange
	if rangeLimit != 0 {
		limit = rangeLimit
	}
	fits := func() bool { return max(matA.bytes(), matB.bytes(), matC.bytes(), matR.bytes(), matH.bytes()) <= limit }
	whole := func() []span { return []span{{0, 1}} }
	batches, rows, terms := whole(), []span{{0, M}}, []span{{0, K}}
	if batches[0].n = matC.batch; !fits() {
		if matC.batch > 1 {
			batches = spans(p, "MatMul", matC.batch, 1, matC.words(matC.step()), matA.words(matA.step()), matB.words(matB.step()), matR.words(matR.step()), matH.words(matH.step()))
		} else if !o.TransA {
			rows = spans(p, "MatMul", M, matMulBM, matC.words(matC.ld), matA.words(matA.ld), matR.words(matR.ld), matH.words(matH.ld))
		} else if !o.TransB {
			terms = spans(p, "MatMul", K, matMulBM, matA.words(matA.ld), matB.words(matB.ld))
		}
	}
	choice := chooseMatMul(p.Info(), matMulShape{matC.batch, M, N, K, o.TransA, o.TransB, matA.precision != FP32, matB.precision != FP32,
		o.swiglu != noSwiGLU}, o, p.Choose)
	if o.h.Precision != FP32 && !slices.Contains(storesFours, choice.Rung) {
		halves := o.h
		o.h = Temp(p, "h in fp32", halves.Shape...)
		MatMul(p, c, a, b, o)
		Cast(p, halves, o.h)
		return
	}
	for _, z := range batches {
		for _, r := range rows {
			for _, k := range terms {
				c, a, b, res, h, o := matC.batchOf(z), matA.batchOf(z), matB.batchOf(z), matR.batchOf(z), matH.batchOf(z), o
				if c, res, h = c.rowsOf(r), res.rowsOf(r), h.rowsOf(r); !o.TransA {
					a = a.rowsOf(r)
				} else {
					a = a.rowsOf(k)
				}
				if len(terms) > 1 {
					b = b.rowsOf(k)
				}
				if k.first > 0 {
					o.Accumulate, o.Bias, o.Residual, o.AddRowSum = true, nil, nil, true
				}
				if o.RowSum != nil {
					sums := piece(*o.RowSum, r, 1)
					o.RowSum = &sums
				}
				if slice := sliceOf(choice.Split, r.n, N, k.n, limit); slice < k.n {
					splitMatMul(p, choice, c, a, b, res, k.n, slice, o)
				} else {
					matMul(p, choice, c, a, b, res, h, k.n, k.n, o)
				}
			}
		}
	}
}

// matMulBM is a multiple of every rung's rows a tile, so that cutting rows does not add ragged tiles.
const matMulBM = 128

// matMulPush is the push block of shaders/matmul/matmul.glsl.
type matMulPush struct {
	M, N             uint32
	EachK, LastK     uint32
	LdC, OffC, StepC uint32
	LdA, OffA, StepA uint32
	LdB, OffB, StepB uint32
	LdR, OffR, StepR uint32
	OffBias          uint32
	LdH, OffH, StepH uint32
	ToValue          uint32
}

// splitMatMul records a product whose K terms are cut into slices: a product for each slice, all in one dispatch, and their
// sum, which ends as the product would have.
func splitMatMul(p *engine.Program, choice MatMulChoice, c, a, b, r matrix, K, slice int, o MatMulOptions) {
	n := ceilDiv(K, slice)
	part := Temp(p, "matmul slices", n, c.rows, c.cols)
	po := MatMulOptions{TransA: o.TransA, TransB: o.TransB, Precision: o.Precision}
	if o.RowSum != nil {
		sums := Temp(p, "matmul slices' row sums", n, c.rows)
		po.RowSum = &sums
	}
	matMul(p, choice, matrixOf(part, true), a, b, matrix{}, matrix{}, K, slice, po)
	sumSlices(p, c, r, part, o)
	if o.RowSum != nil {
		row := matrixOf(o.RowSum.Reshape(1, c.rows), false)
		sumSlices(p, row, matrix{}, *po.RowSum, MatMulOptions{Accumulate: o.AddRowSum})
	}
}

// tileGroup is GROUP of shaders/matmul/matmul.glsl on a GPU: with tiles of 64 to 128 rows, eight strips of A lie in any L2 cache
// for as long as a group is walked.
const tileGroup = 8

// matMul records one dispatch: a product (M,K) (K,N) for each matrix of c, whose operands each lie within one binding; or, where
// a slice is shorter than K, for each slice of the terms of one product.
func matMul(p *engine.Program, choice MatMulChoice, c, a, b, r, h matrix, K, slice int, o MatMulOptions) {
	u := func(n int) uint32 { return uint32(n) }
	M, N, stepA, stepB := c.rows, c.cols, a.step(), b.step()
	if slice < K {
		if stepA = slice; o.TransA {
			stepA *= a.ld
		}
		if stepB = slice; !o.TransB {
			stepB *= b.ld
		}
	}
	push := matMulPush{M: u(M), N: u(N), EachK: u(slice), LastK: u((K-1)%slice + 1), LdC: u(c.ld), OffC: u(c.off), StepC: u(c.step()),
		LdA: u(a.ld), OffA: u(a.off), StepA: u(stepA), LdB: u(b.ld), OffB: u(b.off), StepB: u(stepB)}
	vecC, bindC := c.quads(), c.update(o.Accumulate)
	bias, residual, swiglu, sums, sum := engine.Nothing, engine.Nothing, engine.Nothing, engine.Nothing, uint32(0)
	if o.Bias != nil {
		bias, push.OffBias = o.Bias.Read(), u(o.Bias.Off)
	}
	if o.Residual != nil {
		residual, push.LdR, push.OffR, push.StepR = r.read(), u(r.ld), u(r.off), u(r.step())
		vecC = vecC && r.quads()
	}
	if o.swiglu != noSwiGLU {
		bindC, swiglu = o.swiglu.bind(c, h, o.toValue)
		push.LdH, push.OffH, push.StepH, push.ToValue = u(h.ld), u(h.off), u(h.step()), u(o.toValue)
		vecC = vecC && h.quads() && o.toValue%4 == 0
	}
	if o.RowSum != nil {
		sums, sum = o.RowSum.Update(o.AddRowSum), 1+flag(o.AddRowSum)
	}
	group := uint32(tileGroup)
	if subgroupWorkgroups(p) {
		group = 1
	}
	rung := findRung(choice.Rung)
	t := rung.tiles(p.Info(), o.Precision)[choice.Tile]
	spec := []uint32{u(t.local), flag(o.TransA), flag(o.TransB), flag(o.Accumulate), flag(o.Bias != nil), flag(o.Residual != nil),
		a.lay(t.quads && a.quads()), b.lay(t.quads && b.quads()), h.lay(t.quads && vecC), flag(t.tail && K%4 != 0), u(int(o.Precision)),
		uint32(o.swiglu), sum, flag(slice < K), group}
	p.Dispatch(engine.Dispatch{Shader: rung.shader,
		Spec:   append(spec, t.spec...),
		Groups: [3]int{ceilDiv(N, t.bn), ceilDiv(M, t.bm), c.batch},
		Push:   push,
		Bind:   []engine.Binding{bindC, a.read(), b.read(), bias, residual, swiglu, sums},
		FLOPs:  2 * float64(a.batch) * float64(M) * float64(N) * float64(K)})
}

// matrix is a tensor as a batch of matrices whose rows lie ld elements apart, the first off elements into its range.
type matrix struct {
	engine.Range
	batch, rows, cols, ld, off int
	precision                  Precision // in memory

	beyond int // floats behind a row's columns that belong to it: the values of a SwiGLU's gates
}

// matrixOf views a tensor as one matrix, its leading dimensions being rows, or as a batch of them.
func matrixOf(t Tensor, batched bool) matrix {
	if len(t.Shape) < 2 {
		return matrix{}
	}
	rows, cols := t.Rows(1)
	m := matrix{Range: t.Range, batch: 1, rows: rows, cols: cols, ld: max(t.Ld, 0), off: t.Off, precision: t.Precision}
	if batched {
		m.batch, m.rows = t.Shape[0], t.Shape[1]
	}
	if t.Ld == 0 {
		m.ld = cols
	}
	return m
}

// step returns the elements from a matrix of the batch to the next.
func (m matrix) step() int { return m.rows * m.ld }

// bytes returns how far the elements reach into the range.
func (m matrix) bytes() int64 {
	return m.precision.size() * int64(m.off+(m.batch*m.rows-1)*m.ld+m.cols+m.beyond)
}

// words returns how many 32-bit words n of its elements are.
func (m matrix) words(n int) int { return m.tensor().words(n) }

// quads reports whether all rows start at, and are, multiples of four elements, so that they can be moved in fours.
func (m matrix) quads() bool { return (m.cols|m.ld|m.off)%4 == 0 }

// lay is LAY_A, LAY_B or LAY_C of shaders/matmul/matmul.glsl for a matrix that a shader moves in fours or not.
func (m matrix) lay(fours bool) uint32 {
	if m.precision != FP32 {
		return 2
	}
	return flag(fours)
}

// batchOf and rowsOf return a piece of the batch, and of the rows of a batch of one.
func (m matrix) batchOf(s span) matrix { return m.part(s.first*m.step(), s.n, m.rows) }
func (m matrix) rowsOf(s span) matrix {
	if m.batch > 1 {
		return m
	}
	return m.part(s.first*m.ld, 1, s.n)
}

func (m matrix) part(skip, batch, rows int) matrix {
	m.batch, m.rows = batch, rows
	m.Range = m.Range.Sub(m.precision.size()*int64(skip), m.bytes())
	return m
}

func (m matrix) read() engine.Binding           { return m.tensor().read() }
func (m matrix) update(acc bool) engine.Binding { return m.tensor().Update(acc) }

// tensor is the matrix for what only asks for its memory, its rows and its size.
func (m matrix) tensor() Tensor {
	return Tensor{Shape: []int{m.batch, m.rows, m.cols}, Range: m.Range, Ld: m.ld, Off: m.off, Precision: m.precision}
}
