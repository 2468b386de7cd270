// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

// eachAttentionRung runs f for each rung of the ladder and each precision that it has on this device; without the whole sweep
// 02_shared has no bf16.
func eachAttentionRung(t *testing.T, f func(t *testing.T, rung string, precision kernels.Precision)) {
	info := kerneltest.Device(t).Info()
	for _, rung := range kernels.AttentionRungs() {
		t.Run(filepath.Base(rung), func(t *testing.T) {
			ran := false
			for _, p := range []kernels.Precision{kernels.FP32, kernels.FP16, kernels.BF16} {
				if slices.Contains(kernels.AttentionRungsOn(info, p), rung) {
					if ran = true; p == kernels.BF16 && rung == "attention/02_shared" && !kerneltest.All() {
						continue // it rounds where its fp16 does
					}
					t.Run(p.String(), func(t *testing.T) { f(t, rung, p) })
				}
			}
			if !ran {
				t.Skipf("%v lacks what %s needs", info, rung)
			}
		})
	}
}

// attention is a problem: its heads and the precision of its operands.
type attention struct {
	heads
	precision kernels.Precision
}

// forward and backward are the reference, which rounds where the shaders round.
func (x attention) forward(o, lse, q, k, v []float64) {
	ref.Attention(o, lse, q, k, v, x.b, x.t, x.h, x.d, rounding(x.precision))
}

func (x attention) backward(dq, dk, dv, do, o, lse, q, k, v []float64) {
	ref.AttentionBackward(dq, dk, dv, do, o, lse, q, k, v, x.b, x.t, x.h, x.d, rounding(x.precision))
}

// What an output of attention may be off by: kerneltest.Bound with Rel = 1e-5 and the terms below.
//
// In fp32 an output is a sum, of P_ij v_j for o, and may be off by 1e-5 of the sum of its terms' magnitudes, times what the
// scores add: a score is a sum of D products in at least four chains, so off by less than 1e-6 (D = 64) of the sum of their
// magnitudes, and exp turns that into a relative error of P. softmax's `off` is 1 + the score's sum of magnitudes / 10.
//
// In half precision the shader and the reference round q, k, v and do alike, and products of halves are exact in fp32 (11 or 8
// significant bits of 24). What remains is the rounding of P, and backward of dS = P (do v - delta): with the unit roundoff u
// (2^-11 for fp16, 2^-8 for bf16) and eta, half the distance of the smallest subnormal numbers (2^-25 for fp16),
//
//	|round(x) - x| <= u |x| + eta
//
// The shader rounds an x that is off by fp32's error, which the fp32 terms have already, and the reference rounds x: both
// make this error, at worst with opposite signs. So beside the fp32 terms
//
//	|o_i - ref|  <= 2 sum_j (u P_ij + eta) |v_j|      |lse - ref|: nothing, as the sum of P is taken before rounding
//	|dv_j - ref| <= 2 sum_i (u P_ij + eta) |do_i|
//	|dq_i - ref| <= 2 scale sum_j (u |dS_ij| + eta) |k_j|,   dk_j alike with q_i, summed over i
//
// Forward it is exp(s - m) that is rounded, m the row's largest score (the reference) or the largest so far (most rungs),
// and the sum over P >= 1 that divides. Either way an error relative to P stays one, exp(m' - m) <= 1 takes a sum on to a
// larger m', and eta over a sum >= 1 is at most eta: the bound holds for all.
const attentionTol = 1e-5

// rounded is the bound on what rounding does to the term x of a sum, in units of attentionTol.
func (x attention) rounded(term float64) float64 {
	u := [...]float64{kernels.FP32: 0, kernels.FP16: 0x1p-11, kernels.BF16: 0x1p-8}[x.precision]
	eta := [...]float64{kernels.FP32: 0, kernels.FP16: 0x1p-25, kernels.BF16: 0x1p-134}[x.precision]
	return 2 * (u*math.Abs(term) + eta) / attentionTol
}

// operands returns what the products see of tensors.
func (x attention) operands(tensors ...[]float64) [][]float64 {
	round := rounding(x.precision)
	for i, v := range tensors {
		if round == nil {
			continue
		}
		tensors[i] = make([]float64, len(v))
		for e := range v {
			tensors[i][e] = round(v[e])
		}
	}
	return tensors
}

// softmax returns the probabilities of query i of a head over all keys, and how far they may be off in fp32, in units of
// attentionTol.
func (x attention) softmax(q, k []float64, b, h, i int) (p []float64, off float64) {
	at := func(t int) int { return ((b*x.t+t)*x.h + h) * x.d }
	scale, top := 1/math.Sqrt(float64(x.d)), math.Inf(-1)
	p = make([]float64, x.t)
	for j := range p {
		size := 0.0
		for e := range x.d {
			p[j] += scale * q[at(i)+e] * k[at(j)+e]
			size += scale * math.Abs(q[at(i)+e]*k[at(j)+e])
		}
		top, off = max(top, p[j]), max(off, size/10)
	}
	sum := 0.0
	for j := range p {
		p[j] = math.Exp(p[j] - top)
		sum += p[j]
	}
	for j := range p {
		p[j] /= sum
	}
	return p, 1 + off
}

// forwardTerms and backwardTerms add up the terms of the bound above.
func (x attention) forwardTerms(o, lse, q, k, v []float64) {
	in := x.operands(q, k, v)
	q, k, v = in[0], in[1], in[2]
	at := func(b, t, h int) int { return ((b*x.t+t)*x.h + h) * x.d }
	for b := range x.b {
		for h := range x.h {
			for i := range x.t {
				p, off := x.softmax(q, k, b, h, i)
				lse[(b*x.h+h)*x.t+i] = off
				row := at(b, i, h)
				for j := range p {
					weight, col := off*p[j]+x.rounded(p[j]), at(b, j, h)
					for e := range x.d {
						o[row+e] += weight * math.Abs(v[col+e])
					}
				}
			}
		}
	}
}

func (x attention) backwardTerms(dq, dk, dv, do, o, q, k, v []float64) {
	in := x.operands(do, q, k, v)
	do, q, k, v = in[0], in[1], in[2], in[3]
	at := func(b, t, h int) int { return ((b*x.t+t)*x.h + h) * x.d }
	scale := 1 / math.Sqrt(float64(x.d))
	for b := range x.b {
		for h := range x.h {
			for i := range x.t {
				p, off := x.softmax(q, k, b, h, i)
				row := at(b, i, h)
				for j := range p {
					col := at(b, j, h)
					ds, size := 0.0, 0.0 // do (v - o), and the sum of its terms' magnitudes
					for e := range x.d {
						ds += do[row+e] * (v[col+e] - o[row+e])
						size += math.Abs(do[row+e]*v[col+e]) + math.Abs(do[row+e]*o[row+e])
					}
					ds, weight := scale*(off*p[j]*size+x.rounded(p[j]*ds)), off*p[j]+x.rounded(p[j])
					for e := range x.d {
						dq[row+e] += ds * math.Abs(k[col+e])
						dk[col+e] += ds * math.Abs(q[row+e])
						dv[col+e] += weight * math.Abs(do[row+e])
					}
				}
			}
		}
	}
}

type attentionCase struct {
	b, t, h, d int
	size       float64 // standard deviation of q and k
	fused      bool    // q, k, v and their gradients are views of (B,T,3C) tensors
}

// test runs a rung forward and backward and compares with the reference, backward with what the reference makes of the
// device's own o and lse.
func (c attentionCase) test(t *testing.T, rung string, precision kernels.Precision) {
	h, rnd := kerneltest.New(t), kerneltest.NewRand(uint64(c.t))
	x := attention{heads{c.b, c.t, c.h, c.d}, precision}
	width := c.h * c.d
	n := c.b * c.t * width
	draw := func(size float64) []float32 {
		x := rnd.Normal(n)
		for i := range x {
			x[i] *= float32(size)
		}
		return x
	}
	q, k, v, do := draw(c.size), draw(c.size), draw(1), draw(1)
	shape := x.shape()

	// qkv and dqkv: three tensors, or three views of one whose tokens are (q | k | v).
	three := func(data ...[]float32) [3]rowTensor {
		if !c.fused {
			return [3]rowTensor{rows(h, data[0], packed, width, shape...), rows(h, data[1], strided, width, shape...),
				rows(h, data[2], strided.next(1), width, shape...)}
		}
		all := make([]float32, 0, 3*n)
		for at := 0; at < n; at += width {
			for _, d := range data {
				if d == nil {
					d = make([]float32, n)
				}
				all = append(all, d[at:][:width]...)
			}
		}
		out := [3]rowTensor{}
		fused := h.Input(all, c.b, c.t, 3*width)
		for i := range out {
			view := kernels.Tensor{Shape: shape, Range: fused.Range, Ld: 3 * width, Off: i * width}
			out[i] = rowTensor{Tensor: view, h: h, rows: c.b * c.t, width: width}
		}
		return out
	}
	qkv, dqkv := three(q, k, v), three(nil, nil, nil)
	dot, ot, lset := rows(h, do, strided.next(2), width, shape...), rows(h, nil, strided.next(3), width, shape...), h.Output(c.b, c.h, c.t)
	opt := kernels.AttentionOptions{Precision: precision, Rung: rung}
	h.Run(func(p *engine.Program) {
		kernels.Attention(p, ot.Tensor, lset, qkv[0].Tensor, qkv[1].Tensor, qkv[2].Tensor, opt)
		kernels.AttentionBackward(p, dqkv[0].Tensor, dqkv[1].Tensor, dqkv[2].Tensor, dot.Tensor, ot.Tensor, lset, qkv[0].Tensor,
			qkv[1].Tensor, qkv[2].Tensor, opt)
	})
	values := func(x rowTensor) []float32 {
		if x.gap != nil {
			return x.values(t)
		}
		all, out := h.Floats(x.Tensor), []float32(nil)
		for at := x.Off; at < len(all); at += x.Ld {
			out = append(out, all[at:][:width]...)
		}
		return out
	}

	wide, zeros := kerneltest.Widen, func() []float64 { return make([]float64, n) }
	q64, k64, v64, do64, gotO, gotLse := wide(q), wide(k), wide(v), wide(do), values(ot), h.Floats(lset)
	o, lse, oTerms, lseTerms := zeros(), make([]float64, len(gotLse)), zeros(), make([]float64, len(gotLse))
	x.forward(o, lse, q64, k64, v64)
	x.forwardTerms(oTerms, lseTerms, q64, k64, v64)
	dq, dk, dv, dqTerms, dkTerms, dvTerms := zeros(), zeros(), zeros(), zeros(), zeros(), zeros()
	x.backward(dq, dk, dv, do64, wide(gotO), wide(gotLse), q64, k64, v64)
	x.backwardTerms(dqTerms, dkTerms, dvTerms, do64, wide(gotO), q64, k64, v64)

	for _, y := range []struct {
		name        string
		got         []float32
		want, terms []float64
		tol         float64
	}{
		{"o", gotO, o, oTerms, attentionTol},
		{"lse", gotLse, lse, lseTerms, attentionTol},
		{"dq", values(dqkv[0]), dq, dqTerms, c.gradientTol(rung)},
		{"dk", values(dqkv[1]), dk, dkTerms, c.gradientTol(rung)},
		{"dv", values(dqkv[2]), dv, dvTerms, c.gradientTol(rung)},
	} {
		x.check(t, y.name, y.got, y.want, y.terms, y.tol)
	}
}

// check holds an output to the bound above; in fp32 to that of all ops, which is the closer one, but where of one token dq and
// dk are 0 and the terms say what rounding leaves.
func (x attention) check(t *testing.T, name string, got []float32, want, terms []float64, tol float64) {
	t.Helper()
	if x.precision == kernels.FP32 && x.t > 1 {
		kerneltest.Equal(t, name, got, want, tol)
	} else {
		kerneltest.Check(t, kerneltest.Case{Name: name}, got, want, kerneltest.Bound{Rel: attentionTol, Terms: terms})
	}
}

// gradientTol: half an ulp of a score of 60 is 2e-6 by itself. The gradients of a softmax that is nearly one-hot are small
// differences times that, so where q and k are large the bound for them is wider; twice as wide on the naive rung, which adds
// up a score in one chain where the others have four or more.
func (c attentionCase) gradientTol(rung string) float64 {
	switch {
	case c.size > 1 && rung == "attention/00_naive":
		return 4e-5
	case c.size > 1:
		return 2e-5
	}
	return attentionTol
}

// TestAttention: every rung and precision, forward and backward. Each head size is three shaders to compile, and so is each number
// of rows a lane on 01_narrow. Without the whole sweep heads have 16 floats, which compile quickest, at one to four rows a lane;
// in fp32 there is also one of 72, of which a lane of 02_shared has two rows forward and one backward, and of the others fp16 and
// bf16 have every other case each.
func TestAttention(t *testing.T) {
	quick := []attentionCase{
		{1, 1, 1, 16, 1, false},
		{2, 2, 2, 16, 1, true},
		{1, 9, 3, 16, 1, true},
		{1, 31, 1, 16, 1, false},
		{1, 129, 1, 16, 1, false},
		{1, 441, 1, 16, 1, true},
		{1, 48, 2, 16, 4, true}, // scores of 16 standard deviation, to ±60
	}
	eachAttentionRung(t, func(t *testing.T, rung string, precision kernels.Precision) {
		cases := quick
		if precision == kernels.FP32 {
			cases = append(slices.Clone(quick), attentionCase{1, 33, 2, 72, 1, true})
		}
		if kerneltest.All() {
			cases = append(cases, []attentionCase{
				{1, 1, 1, 8, 1, false},
				{2, 1, 2, 64, 1, false},
				{2, 2, 2, 8, 1, true},
				{1, 7, 1, 32, 1, false},
				{1, 9, 3, 32, 1, true},
				{2, 16, 3, 64, 1, true},
				{1, 25, 2, 64, 1, false},
				{1, 31, 1, 32, 1, false},
				{1, 33, 2, 80, 1, true},
				{2, 64, 4, 32, 1, true},
				{1, 65, 1, 104, 1, false},
				{1, 67, 1, 128, 1, true},
				{1, 129, 1, 8, 1, false},
				{1, 256, 1, 32, 1, false},
				{1, 288, 1, 64, 1, true},
				{1, 441, 1, 64, 1, true},
				{1, 48, 2, 32, 4, true},
			}...)
		}
		for i, c := range cases {
			if precision != kernels.FP32 && i%2 != int(precision)%2 && !kerneltest.All() {
				continue
			}
			if kernels.AttentionRuns(rung, kerneltest.Device(t).Info(), precision, c.d) {
				t.Run(fmt.Sprintf("B%d T%d H%d D%d size%g", c.b, c.t, c.h, c.d, c.size), func(t *testing.T) { c.test(t, rung, precision) })
			}
		}
	})
}

// TestAttentionRounding: operands are rounded, and only they. With one token P is 1, o is v as it was rounded, dv is do, and
// lse the one score, which shows q and k: bit for bit, at ties, the edges of the formats, and random bits.
func TestAttentionRounding(t *testing.T) {
	const d = 16 // so that the scale, 1/4, is exact
	eachAttentionRung(t, func(t *testing.T, rung string, precision kernels.Precision) {
		round := rounding(precision)
		if round == nil {
			round = func(v float64) float64 { return v }
		}
		values := slices.DeleteFunc(roundingValues(256), func(v float32) bool { // no score is beyond ±1e30
			return math.Abs(float64(v)) < 0x1p-120 || !(math.Abs(round(float64(v))) < 1e30)
		})
		n := len(values) // images of one token and one head
		first, ones := make([]float32, n*d), make([]float32, n*d)
		for i, v := range values {
			first[i*d], ones[i*d] = v, 1
		}
		h := kerneltest.New(t)
		one, zero, x := h.Input(ones, n, 1, 1, d), h.Input(make([]float32, n*d), n, 1, 1, d), h.Input(first, n, 1, 1, d)
		o, dq, dk, dv := h.Output(n, 1, 1, d), h.Output(n, 1, 1, d), h.Output(n, 1, 1, d), h.Output(n, 1, 1, d)
		scoreQ, scoreK, lse := h.Output(n, 1, 1), h.Output(n, 1, 1), h.Output(n, 1, 1)
		opt := kernels.AttentionOptions{Precision: precision, Rung: rung}
		h.Run(func(p *engine.Program) {
			kernels.Attention(p, o, scoreQ, x, one, one, opt)
			kernels.Attention(p, o, scoreK, one, x, one, opt)
			kernels.Attention(p, o, lse, zero, zero, x, opt)
			kernels.AttentionBackward(p, dq, dk, dv, x, o, lse, zero, zero, one, opt)
		})
		firsts := func(x kernels.Tensor) (out []float32) {
			for all := h.Floats(x); len(all) > 0; all = all[d:] {
				out = append(out, all[0])
			}
			return out
		}
		for _, y := range []struct {
			name  string
			got   []float32
			scale float64
		}{{"q", h.Floats(scoreQ), 0.25}, {"k", h.Floats(scoreK), 0.25}, {"v", firsts(o), 1}, {"do", firsts(dv), 1}} {
			bad := 0
			for i, v := range values {
				want := float32(y.scale * round(float64(v)))
				flushed := y.got[i] == 0 && math.Abs(float64(v)) < 0x1p-14 && matrixUnit(t) // devices may do so
				if y.got[i] != want && !flushed {
					if bad++; bad <= 5 {
						t.Errorf("%s: %x leaves %x, want %x", y.name, v, y.got[i], want)
					}
				}
			}
		}
	})
}

// TestAttentionWeights: probabilities and dS, one of them to an output, as the reference rounds them. Tokens have a 1 in
// places of their own: v and do in 0 to 4, so that dv holds P and o its numerator; q in 6 to 10 and k in 11 to 15, where
// their products are 0 and dk and dq hold dS. The scores are made in place 5, and each image has others. The
// first key's is the largest, so that no rung's running maximum differs from the row's.
func TestAttentionWeights(t *testing.T) {
	const B, T, d, n = 4, 5, 16, 4 * 5 * 16
	q, k, v := make([]float32, n), make([]float32, n), make([]float32, n)
	for token := range B * T {
		b, i, at := token/T, token%T, token*d
		// few bits, which no precision rounds, and no P or dS near a tie
		q[at+5], k[at+5] = 1+float32(i)/32, -(1.75+float32(b)/4)*float32(i)
		v[at+i], q[at+6+i], k[at+11+i] = 1, 1, 1
	}
	eachAttentionRung(t, func(t *testing.T, rung string, precision kernels.Precision) {
		x, exact := attention{heads{B, T, 1, d}, precision}, attention{heads{B, T, 1, d}, kernels.FP32}
		type outputs struct{ o, lse, dq, dk, dv []float64 }
		reference := func(x attention) outputs {
			y := outputs{make([]float64, n), make([]float64, B*T), make([]float64, n), make([]float64, n), make([]float64, n)}
			q, k, v := kerneltest.Widen(q), kerneltest.Widen(k), kerneltest.Widen(v)
			x.forward(y.o, y.lse, q, k, v)
			x.backward(y.dq, y.dk, y.dv, v, y.o, y.lse, q, k, v)
			return y
		}
		want, unrounded := reference(x), reference(exact)

		h, shape := kerneltest.New(t), exact.shape()
		qt, kt, vt, o, lse := h.Input(q, shape...), h.Input(k, shape...), h.Input(v, shape...), h.Output(shape...), h.Output(B, 1, T)
		dq, dk, dv := h.Output(shape...), h.Output(shape...), h.Output(shape...)
		givenO, givenLse := h.Input(narrowed(want.o), shape...), h.Input(narrowed(want.lse), B, 1, T)
		opt := kernels.AttentionOptions{Precision: precision, Rung: rung}
		h.Run(func(p *engine.Program) {
			kernels.Attention(p, o, lse, qt, kt, vt, opt)
			kernels.AttentionBackward(p, dq, dk, dv, vt, givenO, givenLse, qt, kt, vt, opt)
		})
		const tol = 1e-5
		for _, y := range []struct {
			name           string
			got            kernels.Tensor
			want, rounding []float64 // with rounding and without
		}{{"o", o, want.o, unrounded.o}, {"lse", lse, want.lse, nil}, {"dq", dq, want.dq, unrounded.dq}, {"dk", dk, want.dk, unrounded.dk},
			{"dv", dv, want.dv, unrounded.dv}} {
			kerneltest.Check(t, kerneltest.Case{Name: y.name}, h.Floats(y.got), y.want, kerneltest.Bound{Abs: 1e-7, Rel: tol})
			seen := 0
			for i := range y.rounding {
				if math.Abs(y.rounding[i]-y.want[i]) > 2*(1e-7+tol*math.Abs(y.want[i])) {
					seen++
				}
			}
			if precision != kernels.FP32 && y.rounding != nil && seen < 20 {
				t.Errorf("%s: rounding shows in %d elements only", y.name, seen)
			}
		}
	})
}

// TestAttentionExtremes: inputs that make a careless softmax overflow, divide by zero or lose its sum.
func TestAttentionExtremes(t *testing.T) {
	const T, d = 19, 16
	rnd := kerneltest.NewRand(5)
	normal, zero := rnd.Normal(T*d), make([]float32, T*d)
	big, equal, minus, lone := slices.Clone(normal), make([]float32, T*d), make([]float32, T*d), slices.Clone(zero)
	for i := range big {
		big[i] *= 100 // scores of ±40000: one key takes all
		equal[i] = 30 // all scores 900*sqrt(16)
		minus[i] = -30
	}
	for i := range d {
		lone[3*d+i] = 20 // one token whose score with itself is 1600, others 0
	}
	eachAttentionRung(t, func(t *testing.T, rung string, precision kernels.Precision) {
		for name, qk := range map[string][2][]float32{"zeros": {zero, zero}, "big": {big, big}, "equal": {equal, equal},
			"lone":           {lone, lone},
			"far below zero": {equal, minus}} { // where a score of a key past the end, 0, would be the largest
			t.Run(name, func(t *testing.T) {
				h, x := kerneltest.New(t), attention{heads{1, T, 1, d}, precision}
				qt, kt, vt, ot, lset := h.Input(qk[0], 1, T, 1, d), h.Input(qk[1], 1, T, 1, d), h.Input(normal, 1, T, 1, d),
					h.Output(1, T, 1, d), h.Output(1, 1, T)
				dq, dk, dv := h.Output(1, T, 1, d), h.Output(1, T, 1, d), h.Output(1, T, 1, d)
				opt := kernels.AttentionOptions{Precision: precision, Rung: rung}
				h.Run(func(p *engine.Program) {
					kernels.Attention(p, ot, lset, qt, kt, vt, opt)
					kernels.AttentionBackward(p, dq, dk, dv, vt, ot, lset, qt, kt, vt, opt)
				})
				o, lse := make([]float64, T*d), make([]float64, T)
				q, k, v, oTerms, lseTerms := kerneltest.Widen(qk[0]), kerneltest.Widen(qk[1]), kerneltest.Widen(normal),
					make([]float64, T*d), make([]float64, T)
				x.forward(o, lse, q, k, v)
				x.forwardTerms(oTerms, lseTerms, q, k, v)
				x.check(t, "o", h.Floats(ot), o, oTerms, attentionTol)
				x.check(t, "lse", h.Floats(lset), lse, lseTerms, attentionTol)
				for i, g := range slices.Concat(h.Floats(dq), h.Floats(dk), h.Floats(dv)) {
					if !(g > -1e6 && g < 1e6) {
						t.Fatalf("gradient %d is %g", i, g)
					}
				}
			})
		}
	})
}

// TestAttentionPastTheEnd: keys that only fill a tile up count for nothing where their dS would be beyond fp16. The one token's
// score is -8, its do v is 102400, and its P is 1, so that dS is 0: products and sums are exact, and so are the gradients.
func TestAttentionPastTheEnd(t *testing.T) {
	const d = 16
	eachAttentionRung(t, func(t *testing.T, rung string, precision kernels.Precision) {
		h, shape := kerneltest.New(t), []int{1, 1, 1, d}
		full := func(v float32) kernels.Tensor { return h.Input(slices.Repeat([]float32{v}, d), shape...) }
		q, k, v, do := full(1), full(-2), full(80), full(80)
		o, lse, dq, dk, dv := h.Output(shape...), h.Output(1, 1, 1), h.Output(shape...), h.Output(shape...), h.Output(shape...)
		opt := kernels.AttentionOptions{Precision: precision, Rung: rung}
		h.Run(func(p *engine.Program) {
			kernels.Attention(p, o, lse, q, k, v, opt)
			kernels.AttentionBackward(p, dq, dk, dv, do, o, lse, q, k, v, opt)
		})
		for _, y := range []struct {
			name string
			got  kernels.Tensor
			want float64
		}{{"o", o, 80}, {"lse", lse, -8}, {"dq", dq, 0}, {"dk", dk, 0}, {"dv", dv, 80}} {
			kerneltest.Check(t, kerneltest.Case{Name: y.name}, h.Floats(y.got), slices.Repeat([]float64{y.want}, y.got.Len()),
				kerneltest.Bound{})
		}
	})
}

// TestAttentionTwice: same bits every run, and a batch's image does not depend on the others.
func TestAttentionTwice(t *testing.T) {
	const b, T, heads, d = 3, 37, 2, 16
	rnd := kerneltest.NewRand(3)
	x, y := rnd.Normal(b*T*heads*d), rnd.Normal(b*T*heads*d)
	eachAttentionRung(t, func(t *testing.T, rung string, precision kernels.Precision) {
		run := func(h *kerneltest.Run, b int) (func(p *engine.Program), []kernels.Tensor) {
			n, shape := b*T*heads*d, []int{b, T, heads, d}
			q, k := h.Input(x[len(x)-n:], shape...), h.Input(y[len(y)-n:], shape...)
			o, lse, dq, dk, dv := h.Output(shape...), h.Output(b, heads, T), h.Output(shape...), h.Output(shape...), h.Output(shape...)
			opt := kernels.AttentionOptions{Precision: precision, Rung: rung}
			return func(p *engine.Program) {
				kernels.Attention(p, o, lse, q, k, q, opt)
				kernels.AttentionBackward(p, dq, dk, dv, k, o, lse, q, k, q, opt)
			}, []kernels.Tensor{o, lse, dq, dk, dv}
		}
		twice(t, func(h *kerneltest.Run) (func(p *engine.Program), []kernels.Tensor) { return run(h, b) })
		h := kerneltest.New(t)
		all, outs := run(h, b)
		one, last := run(h, 1)
		h.Run(func(p *engine.Program) { all(p); one(p) })
		for i := range outs {
			got, want := h.Bits(outs[i]), h.Bits(last[i])
			if !slices.Equal(got[len(got)-len(want):], want) {
				t.Errorf("output %d of the last image depends on the images before it", i)
			}
		}
	})
}

// TestAttentionMemory: with twice the tokens, forward and backward and all their tensors take twice the memory, not four
// times: there is no matrix of scores.
func TestAttentionMemory(t *testing.T) {
	d, err := engine.Open(engine.Options{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	plan := func(T int) int64 {
		p := engine.NewProgram(d, "attention memory")
		defer p.Close()
		x := make([]kernels.Tensor, 8)
		for i := range x {
			x[i] = kernels.Temp(p, "x", 1, T, 12, 64)
			p.Fill(x[i].Range, 0)
		}
		lse := kernels.Temp(p, "lse", 1, 12, T)
		kernels.Attention(p, x[3], lse, x[0], x[1], x[2], kernels.AttentionOptions{})
		kernels.AttentionBackward(p, x[4], x[5], x[6], x[7], x[3], lse, x[0], x[1], x[2], kernels.AttentionOptions{})
		if err := p.Build(); err != nil {
			t.Fatal(err)
		}
		return p.ArenaBytes()
	}
	const T, slack = 4096, 1 << 12 // slack: each tensor begins at a multiple of 256 bytes
	once, twice := plan(T), plan(2*T)
	t.Logf("%d tokens: %d bytes; %d tokens: %d bytes; the scores alone would be %d and %d", T, once, 2*T, twice, 12*4*T*T, 12*4*4*T*T)
	if twice > 2*once+slack || once > 8*4*T*12*64+2*4*12*T+slack { // eight tensors like q, and lse and delta
		t.Errorf("%d bytes for %d tokens, %d bytes for %d", once, T, twice, 2*T)
	}
}

// TestAttentionLadder: the rungs in the folder are those of the table, each with its three shaders, and each shader says how it
// differs from the one below.
func TestAttentionLadder(t *testing.T) {
	files, err := filepath.Glob("../shaders/attention/[0-9]*.comp")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, rung := range kernels.AttentionRungs() {
		for _, pass := range []string{"_bwd_dkv", "_bwd_dq", "_fwd"} {
			want = append(want, "../shaders/"+rung+pass+".comp")
		}
	}
	if !slices.Equal(files, want) {
		t.Errorf("in the folder %q, in kernels/attention.go %q", files, want)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "\n// Differs from the rung below by ") {
			t.Errorf("%s does not say how it differs from the rung below", f)
		}
	}
}

func TestAttentionMisuse(t *testing.T) {
	h := kerneltest.New(t)
	x, lse := h.Output(1, 4, 2, 8), h.Output(1, 2, 4)
	for name, f := range map[string]func(p *engine.Program){
		"head size": func(p *engine.Program) {
			y := h.Output(1, 4, 2, 12)
			kernels.Attention(p, y, lse, y, y, y, kernels.AttentionOptions{})
		},
		"shape": func(p *engine.Program) {
			kernels.Attention(p, x, lse, x, h.Output(1, 8, 1, 8), x, kernels.AttentionOptions{})
		},
		"lse": func(p *engine.Program) { kernels.Attention(p, x, h.Output(4), x, x, x, kernels.AttentionOptions{}) },
		"stride": func(p *engine.Program) {
			kernels.Attention(p, x, lse, kernels.Tensor{Shape: x.Shape, Range: x.Range, Off: 2}, x, x, kernels.AttentionOptions{})
		},
	} {
		t.Run(name, func(t *testing.T) { mustPanic(t, "kernels: Attention: ", f) })
	}
}
