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
	Precision      Precision     // of the product; a, b and c may be in halves of it
	Rung           string        // a rung by its whole name, "matmul/04_narrow"; "" leaves the choice to JITVK_RUNG and the device
	Choice         *MatMulChoice // instead of Rung, how to compute it in every detail; nil leaves it to Program.Choose
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
// halves of that precision, which were rounded as they were stored: the same product to the bit. So may c, where nothing is
// accumulated: it gets the rounded sums.
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
	newProduct("MatMul", c, a, b, o).record(p)
}

// A product is one product on its way into a program. Its tensors are batches of matrices; a and b are as they are stored.
type product struct {
	MatMulOptions
	op                string
	batched           bool      // three-dimensional c, a and b
	c, a, b, residual Tensor    // residual has no shape where there is none
	M, N, K           int       // op(a) is (M,K), op(b) (K,N)
	swiglu            swiglu    // the SwiGLU that it ends in
	given             [3]Tensor // c, a and b as the caller has them, for messages
}

// newProduct panics unless the tensors are those of a product.
func newProduct(op string, c, a, b Tensor, o MatMulOptions) product {
	m := product{MatMulOptions: o, op: op, given: [3]Tensor{c, a, b}}
	m.batched = len(a.Shape) == 3 && len(b.Shape) == 3 && len(c.Shape) == 3
	m.c, m.a, m.b = m.matrices(c), m.matrices(a), m.matrices(b)
	if o.Residual != nil {
		m.residual = m.matrices(*o.Residual)
	}
	if m.M, m.K = m.a.Shape[1], m.a.Shape[2]; o.TransA {
		m.M, m.K = m.K, m.M
	}
	if m.N = m.b.Shape[2]; o.TransB {
		m.N = m.b.Shape[1]
	}
	return m
}

// record checks the product, chooses how to compute it, cuts it into what a binding can hold and records each piece.
func (m product) record(p *engine.Program) {
	m.check()
	choice := m.choose(p)
	// A rung that stores single elements cannot store halves, of which two share a word: c is in fp32 first. So it is where slices
	// are added up.
	if c := m.c; c.Precision != FP32 && (!slices.Contains(storesFours, choice.Rung) || choice.Split > 1) {
		check(m.swiglu.part == noSwiGLU, m.op, "%v cannot end in a SwiGLU in halves", choice)
		m.c = Temp(p, "c in fp32", c.Shape...).asMatrices(m.op, true)
		defer func() { Cast(p, c, m.c) }()
	}
	for _, piece := range m.cut(p) {
		if slice := sliceOf(choice.Split, piece.M, piece.N, piece.K, bindingLimit(p)); slice < piece.K {
			piece.split(p, choice, slice)
		} else {
			piece.launch(p, choice, piece.K)
		}
	}
}

// matrices is one of the product's tensors as a batch of matrices.
func (m product) matrices(t Tensor) Tensor {
	if len(t.Shape) < 2 {
		m.fail("two dimensions or more wanted")
	}
	if fault := t.fault(); fault != "" {
		m.fail("%s", fault)
	}
	return t.asMatrices(m.op, m.batched)
}

// fail panics with the tensors in the message.
func (m product) fail(format string, args ...any) {
	more := ""
	if m.Residual != nil {
		more += fmt.Sprintf(", residual %v", *m.Residual)
	}
	if m.Bias != nil {
		more += fmt.Sprintf(", bias %v", *m.Bias)
	}
	c, a, b := m.given[0], m.given[1], m.given[2]
	check(false, m.op, "c %v, a %v (trans %v), b %v (trans %v)%s: %s", c, a, m.TransA, b, m.TransB, more, fmt.Sprintf(format, args...))
}

// check panics unless the tensors fit together.
func (m product) check() {
	c, a, b := m.c.Shape, m.a.Shape, m.b.Shape
	k := b[1]
	if m.TransB {
		k = b[2]
	}
	switch {
	case a[0] != c[0] || b[0] != c[0]:
		m.fail("batches of different sizes")
	case !m.Precision.known():
		m.fail("a product in %v: fp32, fp16 or bf16 wanted", m.Precision)
	case c[1] != m.M || c[2] != m.swiglu.width(m.N) || k != m.K:
		m.fail("(%d,%d) = (%d,%d) (%d,%d) does not fit", c[1], c[2], m.M, m.K, k, m.N)
	case m.c.Precision != FP32 && (m.Accumulate || m.N%4 != 0 || m.Residual != nil && !m.residual.inFours()):
		m.fail("c in halves: nothing that is added to it, and a width and a residual in multiples of four wanted")
	}
	for _, x := range []Tensor{m.c, m.a, m.b, m.swiglu.h} {
		if x.Precision != FP32 && (x.Precision != m.Precision || !x.inFours()) {
			m.fail("%v in a product in %v: halves of its precision, in multiples of four, or fp32 wanted", x.Precision, m.Precision)
		}
	}
	if m.Residual != nil && (!slices.Equal(m.residual.Shape, c) || m.residual.Precision != FP32) {
		m.fail("the residual is not of c's shape, in fp32")
	}
	if m.Bias != nil && (m.Bias.Len() != m.N || m.Bias.fault() != "" || m.Bias.Precision != FP32 || m.Bias.Ld != 0 && m.Bias.Ld != m.N) {
		m.fail("%d contiguous floats of bias wanted", m.N)
	}
	if s := m.RowSum; s != nil && (m.batched || s.Len() != m.M || !s.Contiguous() || s.Precision != FP32) {
		m.fail("row sums %v: %d contiguous floats wanted, and no batch", *s, m.M)
	}
}

// choose returns how the product is computed.
func (m product) choose(p *engine.Program) MatMulChoice {
	s := matMulShape{m.c.Shape[0], m.M, m.N, m.K, m.TransA, m.TransB, m.a.Precision != FP32, m.b.Precision != FP32,
		m.c.Precision != FP32, m.swiglu.part != noSwiGLU}
	return chooseMatMul(p.Info(), s, m.MatMulOptions, p)
}

// cut returns the product in pieces whose tensors each lie within one binding: the products of a batch or, of one product, rows of
// c, or the terms of its sums where these run down the rows of both operands. What then is still too large, b in the other cases,
// the engine refuses.
func (m product) cut(p *engine.Program) (pieces []product) {
	tensors := []Tensor{m.c, m.a, m.b}
	for _, x := range []Tensor{m.residual, m.swiglu.h} {
		if x.Shape != nil {
			tensors = append(tensors, x)
		}
	}
	limit := bindingLimit(p)
	switch fits := !slices.ContainsFunc(tensors, func(x Tensor) bool { return x.reach() > limit }); {
	case fits:
		return []product{m}
	case m.c.Shape[0] > 1:
		var width []int
		for _, x := range tensors {
			width = append(width, x.words(x.step()))
		}
		for _, s := range spans(p, m.op, m.c.Shape[0], 1, width...) {
			pieces = append(pieces, m.batch(s))
		}
	case !m.TransA:
		width := []int{m.a.words(m.a.Ld)}
		for _, x := range slices.Delete(tensors, 1, 3) {
			width = append(width, x.words(x.Ld))
		}
		for _, s := range spans(p, m.op, m.M, matMulBM, width...) {
			pieces = append(pieces, m.rows(s))
		}
	case !m.TransB:
		for _, s := range spans(p, m.op, m.K, matMulBM, m.a.words(m.a.Ld), m.b.words(m.b.Ld)) {
			pieces = append(pieces, m.terms(s))
		}
	default:
		return []product{m}
	}
	return pieces
}

// matMulBM is a multiple of every rung's rows a tile, so that cutting rows does not add ragged tiles.
const matMulBM = 128

// batch returns some products of a batch.
func (m product) batch(s span) product {
	m.c, m.a, m.b = m.c.piece(s), m.a.piece(s), m.b.piece(s)
	if m.Residual != nil {
		m.residual = m.residual.piece(s)
	}
	return m
}

// rows returns the product for some rows of c.
func (m product) rows(s span) product {
	m.M = s.n
	m.c, m.a = m.c.rowsOf(s), m.a.rowsOf(s)
	if m.Residual != nil {
		m.residual = m.residual.rowsOf(s)
	}
	if m.swiglu.part != noSwiGLU {
		m.swiglu.h = m.swiglu.h.rowsOf(s)
	}
	if m.RowSum != nil {
		sums := piece(*m.RowSum, s, 1)
		m.RowSum = &sums
	}
	return m
}

// terms returns the product of some columns of aᵀ and rows of b, which all but the first piece add to c.
func (m product) terms(s span) product {
	m.K = s.n
	m.a, m.b = m.a.rowsOf(s), m.b.rowsOf(s)
	if s.first > 0 {
		m.Accumulate, m.Bias, m.Residual, m.AddRowSum = true, nil, nil, true
	}
	return m
}

// split records a product whose K terms are cut into slices: a product for each slice, all in one launch, and their sum, which
// ends as the product would have.
func (m product) split(p *engine.Program, choice MatMulChoice, slice int) {
	n := ceilDiv(m.K, slice)
	part := Temp(p, "matmul slices", n, m.M, m.N)
	slices := m
	slices.MatMulOptions = MatMulOptions{TransA: m.TransA, TransB: m.TransB, Precision: m.Precision}
	slices.c = part.asMatrices(m.op, true)
	if m.RowSum != nil {
		sums := Temp(p, "matmul slices' row sums", n, m.M)
		slices.RowSum = &sums
	}
	slices.launch(p, choice, slice)
	sumSlices(p, m.c, part, m)
	if m.RowSum != nil {
		sumSlices(p, m.RowSum.Reshape(1, m.M).byRows(m.op, 1), *slices.RowSum,
			product{MatMulOptions: MatMulOptions{Accumulate: m.AddRowSum}})
	}
}

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

// tileGroup is GROUP of shaders/matmul/matmul.glsl on a GPU: with tiles of 64 to 128 rows, eight strips of A lie in any L2 cache
// for as long as a group is walked.
const tileGroup = 8

// launch records one launch: a product for each matrix of c or, where a slice is shorter than K, one for each slice of K.
func (m product) launch(p *engine.Program, choice MatMulChoice, slice int) {
	u := func(n int) uint32 { return uint32(n) }
	c, a, b, r, h := m.c, m.a, m.b, m.residual, m.swiglu.h
	stepA, stepB := m.steps(slice)
	push := matMulPush{M: u(m.M), N: u(m.N), EachK: u(slice), LastK: u((m.K-1)%slice + 1),
		LdC: c.stride(), OffC: u(c.Off + m.swiglu.gate), StepC: u(c.step()),
		LdA: a.stride(), OffA: a.offset(), StepA: u(stepA), LdB: b.stride(), OffB: b.offset(), StepB: u(stepB)}
	bindC, vecC := c.update(m.Accumulate), c.inFours() && m.N%4 == 0
	bias, residual, swiglu, sums, sum := engine.Nothing, engine.Nothing, engine.Nothing, engine.Nothing, uint32(0)
	if m.Bias != nil {
		bias, push.OffBias = m.bias(), m.Bias.offset()
	}
	if m.Residual != nil {
		residual, push.LdR, push.OffR, push.StepR = r.Read(), r.stride(), r.offset(), u(r.step())
		vecC = vecC && r.inFours()
	}
	if m.swiglu.part != noSwiGLU {
		bindC, swiglu = m.swiglu.bind(c, m.N)
		push.LdH, push.OffH, push.StepH, push.ToValue = h.stride(), u(h.Off+m.swiglu.gateOfH()), u(h.step()),
			u(m.swiglu.value-m.swiglu.gate)
		vecC = vecC && h.inFours()
	}
	if m.RowSum != nil {
		sums, sum = m.RowSum.Update(m.AddRowSum), 1+flag(m.AddRowSum)
	}
	group := uint32(tileGroup)
	if subgroupWorkgroups(p) {
		group = 1
	}
	rung := findRung(choice.Rung)
	t := rung.tiles(p.Info(), m.Precision)[choice.Tile]
	layC := flag(t.quads && vecC) + 2*flag(c.Precision != FP32) + 4*flag(h.Precision != FP32)
	tail := t.tail > 0 && (m.K%t.tail != 0 || slice%t.tail != 0)
	spec := []uint32{u(t.local), flag(m.TransA), flag(m.TransB), flag(m.Accumulate), flag(m.Bias != nil), flag(m.Residual != nil),
		a.lay(t.quads && a.inFours()), b.lay(t.quads && b.inFours()), layC, flag(tail),
		u(int(m.Precision)), uint32(m.swiglu.part), sum, flag(slice < m.K), group}
	if spec = append(spec, t.spec...); t.direct {
		spec = append(spec, m.direct(p.Info(), t, vecC))
	}
	if m.Precision == BF16 && rung.shader == "matmul/06_prefetch" {
		rung.shader = "matmul/06_prefetch_bf16" // on a matrix unit it is another type
	}
	p.Dispatch(engine.Dispatch{Shader: rung.shader,
		Spec:   spec,
		Groups: [3]int{ceilDiv(m.N, t.bn), ceilDiv(m.M, t.bm), c.Shape[0]},
		Push:   push,
		Bind:   []engine.Binding{bindC, a.read(), b.read(), bias, residual, swiglu, sums},
		FLOPs:  2 * float64(a.Shape[0]) * float64(m.M) * float64(m.N) * float64(m.K)})
}

// direct is DIRECT of shaders/matmul/06_prefetch.comp: whether fragments of C can be loaded and stored where they lie in memory, for
// which rows and a bias begin at multiples of four, and whether all of C's tiles are whole.
func (m product) direct(info engine.Info, t matMulTile, vecC bool) uint32 {
	switch halves := m.c.Precision != FP32 || m.swiglu.h.Precision != FP32; {
	case !vecC || m.Bias != nil && m.Bias.Off%4 != 0 || halves && !halfSums(info, m.Precision):
		return 0
	case m.M%t.bm != 0 || m.N%t.bn != 0:
		return 1
	}
	return 2
}

// steps returns the elements of a and of b from one product of a launch to the next: a matrix, or what a slice of K spans.
func (m product) steps(slice int) (a, b int) {
	if slice == m.K {
		return m.a.step(), m.b.step()
	}
	if a = slice; m.TransA {
		a *= m.a.Ld
	}
	if b = slice; !m.TransB {
		b *= m.b.Ld
	}
	return a, b
}

// bias binds the bias, which may begin anywhere in its range.
func (m product) bias() engine.Binding { return m.Bias.view(m.op, m.N).Read() }

// lay is LAY_A or LAY_B of shaders/matmul/matmul.glsl for a tensor that a shader moves in fours or not.
func (t Tensor) lay(fours bool) uint32 {
	if t.Precision != FP32 {
		return 2
	}
	return flag(fours)
}
