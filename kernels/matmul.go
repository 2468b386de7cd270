// SPDX-License-Identifier: MIT

package kernels

import (
	"fmt"

	"jitvk/engine"
)

// MatMulOptions say which operands are stored transposed and what is added to the product.
type MatMulOptions struct {
	TransA, TransB bool    // a is (K,M), b is (N,K)
	Accumulate     bool    // add to what c holds
	Bias           *Tensor // (N), added to every row
	Residual       *Tensor // (M,N), added; rows may be apart
}

// MatMul is c = op(a) op(b) [+ bias] [+ residual] [+ c], op the identity or the transpose: op(a) (M,K), op(b) (K,N),
// c (M,N). Rows of a, b, c and residual may be apart.
//
// With three-dimensional a, b and c it is a product for each of a batch of matrices: op(a) (B,M,K), op(b) (B,K,N),
// c (B,M,N). Otherwise leading dimensions are rows: with x (B,T,C) and a weight w (O,C), as PyTorch stores it,
// y (B,T,O) = x wᵀ is MatMul(p, y, x, w, {TransB: true}), its gradients are dx = MatMul(dy, w) and
// dw = MatMul(dy, x, {TransA: true}).
//
// The kernels are the rungs of shaders/matmul. A CPU driver gets 02_narrow, every other device 01_tiled.
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
	matR := matC
	if o.Residual != nil {
		matR = matrixOf(*o.Residual, batched)
	}
	for _, x := range []matrix{matC, matA, matB, matR} {
		switch {
		case x.rows < 1 || x.cols < 1 || x.batch < 1:
			fail("two dimensions or more wanted, none of them 0")
		case x.ld < x.cols || x.off < 0:
			fail("rows of %d floats lie %d apart", x.cols, x.ld)
		case x.batch != matC.batch:
			fail("batches of different sizes")
		case 4*int64(x.off+(x.batch*x.rows-1)*x.ld+x.cols) > x.Size:
			fail("%d floats do not fit into %d bytes", x.off+(x.batch*x.rows-1)*x.ld+x.cols, x.Size)
		}
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
	if o.Bias != nil && (o.Bias.Len() != N || !o.Bias.Contiguous()) {
		fail("%d contiguous floats of bias wanted", N)
	}

	// Operands beyond one binding's reach are cut: a batch into matrices, then rows of c, and K (which adds to c) where it
	// runs along the rows of both operands.
	limit := p.Info().MaxStorageBufferRange
	if rangeLimit != 0 {
		limit = rangeLimit
	}
	fits := func() bool { return max(matA.bytes(), matB.bytes(), matC.bytes(), matR.bytes()) <= limit }
	whole := func() []span { return []span{{0, 1}} }
	batches, rows, terms := whole(), []span{{0, M}}, []span{{0, K}}
	if batches[0].n = matC.batch; !fits() {
		if matC.batch > 1 {
			batches = spans(p, "MatMul", matC.batch, 1, matC.step(), matA.step(), matB.step(), matR.step())
		} else if !o.TransA {
			rows = spans(p, "MatMul", M, matMulBM, matC.ld, matA.ld, matR.ld)
		} else if !o.TransB {
			terms = spans(p, "MatMul", K, matMulBM, matA.ld, matB.ld)
		}
	}
	for _, z := range batches {
		for _, r := range rows {
			for _, k := range terms {
				c, a, b, res, o := matC.batchOf(z), matA.batchOf(z), matB.batchOf(z), matR.batchOf(z), o
				if c, res = c.rowsOf(r), res.rowsOf(r); !o.TransA {
					a = a.rowsOf(r)
				} else {
					a = a.rowsOf(k)
				}
				if len(terms) > 1 {
					b = b.rowsOf(k)
				}
				if k.first > 0 {
					o.Accumulate, o.Bias, o.Residual = true, nil, nil
				}
				matMul(p, c, a, b, res, z.n, r.n, N, k.n, o)
			}
		}
	}
}

// matMulBM is a multiple of every rung's rows a tile, so that cutting rows does not add ragged tiles.
const matMulBM = 64

// A matMulTier is a rung of shaders/matmul: its tile of C, its workgroup where that is free, and whether it reads in fours.
type matMulTier struct {
	shader        string
	bm, bn, local int
	quads         bool
}

// matMulTiers are the rungs, slowest first.
var matMulTiers = []matMulTier{
	{"matmul/00_naive", 1, 64, 64, false},
	{"matmul/01_tiled", 64, 64, 256, false},
	{"matmul/02_narrow", 16, 32, 8, true},
}

// matMulForce names the rung that tests want; "" leaves the choice to the device.
var matMulForce string

func chooseMatMul(info engine.Info) matMulTier {
	want := "matmul/01_tiled"
	if info.CPU() && info.SubgroupSize >= 8 {
		want = "matmul/02_narrow"
	}
	if matMulForce != "" {
		want = matMulForce
	}
	for _, t := range matMulTiers {
		if t.shader == want {
			return t
		}
	}
	panic("kernels: MatMul: no rung " + want)
}

// matMulPush is the push block of shaders/matmul/matmul.glsl.
type matMulPush struct {
	M, N, K          uint32
	LdC, OffC, StepC uint32
	LdA, OffA, StepA uint32
	LdB, OffB, StepB uint32
	LdR, OffR, StepR uint32
	OffBias          uint32
}

// matMul records one dispatch: batch products (M,K) (K,N) whose operands each lie within one binding.
func matMul(p *engine.Program, c, a, b, r matrix, batch, M, N, K int, o MatMulOptions) {
	u := func(n int) uint32 { return uint32(n) }
	push := matMulPush{u(M), u(N), u(K), u(c.ld), u(c.off), u(c.step()), u(a.ld), u(a.off), u(a.step()), u(b.ld), u(b.off), u(b.step()), 0, 0, 0, 0}
	bias, residual := a.read(), a.read() // never looked at, but something must be bound
	vecC := c.quads()
	if o.Bias != nil {
		bias, push.OffBias = o.Bias.Read(), u(o.Bias.Off)
	}
	if o.Residual != nil {
		residual, push.LdR, push.OffR, push.StepR = r.read(), u(r.ld), u(r.off), u(r.step())
		vecC = vecC && r.quads()
	}
	tier := chooseMatMul(p.Info())
	spec := []uint32{u(tier.local), flag(o.TransA), flag(o.TransB), flag(o.Accumulate), flag(o.Bias != nil), flag(o.Residual != nil)}
	if tier.quads {
		spec = append(spec, flag(a.quads()), flag(b.quads()), flag(vecC), flag(K%4 != 0))
	}
	p.Dispatch(engine.Dispatch{Shader: tier.shader,
		Spec:   spec,
		Groups: [3]int{ceilDiv(N, tier.bn), ceilDiv(M, tier.bm), batch},
		Push:   push,
		Bind:   []engine.Binding{c.update(o.Accumulate), a.read(), b.read(), bias, residual},
		FLOPs:  2 * float64(batch) * float64(M) * float64(N) * float64(K)})
}

// matrix is a tensor as a batch of matrices whose rows lie ld floats apart, the first off floats into its range.
type matrix struct {
	engine.Range
	batch, rows, cols, ld, off int
}

// matrixOf views a tensor as one matrix, its leading dimensions being rows, or as a batch of them.
func matrixOf(t Tensor, batched bool) matrix {
	if len(t.Shape) < 2 {
		return matrix{}
	}
	rows, cols := t.Rows(1)
	m := matrix{t.Range, 1, rows, cols, max(t.Ld, 0), t.Off}
	if batched {
		m.batch, m.rows = t.Shape[0], t.Shape[1]
	}
	if t.Ld == 0 {
		m.ld = cols
	}
	return m
}

// step returns the floats from a matrix of the batch to the next.
func (m matrix) step() int { return m.rows * m.ld }

// bytes returns how far the elements reach into the range.
func (m matrix) bytes() int64 { return 4 * int64(m.off+(m.batch*m.rows-1)*m.ld+m.cols) }

// quads reports whether all rows start at, and are, multiples of four floats, so that they can be read as vec4.
func (m matrix) quads() bool { return (m.cols|m.ld|m.off)%4 == 0 }

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
	m.Range = m.Range.Sub(4*int64(skip), m.bytes())
	return m
}

func (m matrix) read() engine.Binding           { return engine.Read(m.Range) }
func (m matrix) update(acc bool) engine.Binding { return Tensor{Range: m.Range}.Update(acc) }
