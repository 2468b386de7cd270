// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

// swigluScale is, for each element of h = silu(v) b, what its error is measured by when v and b are sums of K products with an
// error of at most e S each, S the sum of their magnitudes and e = (1+u)^(K+4) - 1 (within, in matmul_test.go).
//
// The slope of silu is at most L = 1.0999, at v = 2.3994. With v' and b' for what was computed,
//
//	|silu(v') b' - silu(v) b| <= |silu(v') - silu(v)| |b'| + |silu(v)| |b' - b| <= e (L S_v (|b| + e S_b) + |silu(v)| S_b)
//
// and e < 2^-7 for K < 2^12, ab in halves included. Evaluating silu(v') b' adds less than 8 ulp of it: sigmoid_ 2.4
// (shaders/math.glsl), two products.
// So |error| <= ((1+u)^(K+4+16) - 1) scale.
func swigluScale(ab, sums []float64, n, f int, valueFirst bool) []float64 {
	out := make([]float64, n*f)
	for i := range out {
		gate, value := swigluPlace(i, f, valueFirst)
		v := ab[gate]
		out[i] = 1.1*sums[gate]*(math.Abs(ab[value])+0x1p-7*sums[value]) + math.Abs(v*sigmoid(v))*sums[value]
	}
	return out
}

// swigluGradientScale is the same for the gradients of ab, which are dh times a factor: the error of dh is at most e sums, and
// the factor's at most 16 u times the magnitudes of its terms. Below -87 sigmoid_ is not exact but flat, off by up to
// sigmoid(-87) = 1.65e-38, which shows where dh and the gate are huge; e is at least 20 u.
func swigluGradientScale(ab, sums []float64, n, f int, valueFirst bool) []float64 {
	const flat = 1.65e-38 / (20 * 0x1p-24)
	out := make([]float64, 2*n*f)
	for i := range sums {
		gate, value := swigluPlace(i, f, valueFirst)
		v, off := ab[gate], 0.0
		if v < -87 {
			off = flat
		}
		out[value] = sums[i] * math.Abs(v) * (sigmoid(v) + off)
		out[gate] = sums[i] * math.Abs(ab[value]) * (siluTerms(v) + off*(1-v))
	}
	return out
}

const swigluRoundings = 16

// swigluPlace is where element i of (N,F) has its gate and its value in (N,2F).
func swigluPlace(i, f int, valueFirst bool) (gate, value int) {
	gate = i/f*2*f + i%f
	if value = gate + f; valueFirst {
		gate, value = value, gate
	}
	return gate, value
}

// fusedSwiGLU is one case of MatMulSwiGLU and MatMulSwiGLUBackward.
type fusedSwiGLU struct {
	n, c, f          int
	valueFirst, bias bool
	precision        kernels.Precision
}

// run computes the case both ways, with and without ab, holds it against the float64 reference and returns h, ab, dab.
func (x fusedSwiGLU) run(t *testing.T) []float32 {
	t.Helper()
	h, rnd := kerneltest.New(t), kerneltest.NewRand(uint64(x.n+1000*x.c+7*x.f))
	xv, wv, bv := rnd.Normal(x.n*x.c), rnd.Normal(2*x.f*x.c), rnd.Normal(2*x.f)
	dyv, w3v := rnd.Normal(x.n*x.c), rnd.Normal(x.c*x.f)
	in, w, dy, w3, bias := h.Input(xv, x.n, x.c), h.Input(wv, 2*x.f, x.c), h.Input(dyv, x.n, x.c), h.Input(w3v, x.c, x.f),
		h.Input(bv, 2*x.f)
	y, alone, ab, dab := h.Output(x.n, x.f), h.Output(x.n, x.f), h.Output(x.n, 2*x.f), h.Output(x.n, 2*x.f)
	back := kernels.MatMulSwiGLUOptions{ValueFirst: x.valueFirst, Precision: x.precision}
	o := back
	ro := ref.MatMulSwiGLUOptions[float64]{ValueFirst: x.valueFirst, Round: rounding(x.precision)}
	po := ref.MatMulOptions[float64]{TransB: true, Round: ro.Round}
	if x.bias {
		o.Bias, ro.Bias, po.Bias = &bias, kerneltest.Widen(bv), magnitudes(bv)
	}
	h.Run(func(p *engine.Program) {
		kernels.MatMulSwiGLU(p, y, &ab, in, w, o)
		kernels.MatMulSwiGLU(p, alone, nil, in, w, o)
		kernels.MatMulSwiGLUBackward(p, dab, dy, w3, ab, back)
	})
	name := fmt.Sprintf("%+v", x)
	if x.precision != kernels.FP32 && (x.c|x.f)%4 == 0 {
		half := func(data []float32, shape ...int) kernels.Tensor { return h.InputIn(x.precision, data, shape...) }
		stored := func(cols int) kernels.Tensor { return h.OutputIn(x.precision, x.n, cols) }
		in, w, w3, y2, ab2, dab2 := half(xv, x.n, x.c), half(wv, 2*x.f, x.c), half(w3v, x.c, x.f), stored(x.f), stored(2*x.f), stored(2*x.f)
		alone := stored(x.f)
		h.Run(func(p *engine.Program) {
			kernels.MatMulSwiGLU(p, y2, &ab2, in, w, o)
			kernels.MatMulSwiGLU(p, alone, nil, in, w, o)
			kernels.MatMulSwiGLUBackward(p, dab2, dy, w3, ab2, back)
		})
		have := h.Floats(ab2)
		if !slices.Equal(have, kerneltest.Rounded(x.precision, h.Floats(ab))) {
			t.Errorf("%s: ab in halves is not ab rounded", name)
		}
		if !slices.Equal(h.Floats(y2), h.Floats(alone)) {
			t.Errorf("%s: h in halves is another without ab", name)
		}
		want := make([]float64, x.n*x.f)
		ref.SwiGLU(want, kerneltest.Widen(have), x.n, x.f, x.valueFirst)
		kerneltest.Check(t, kerneltest.Case{Name: name + " h of ab in halves"}, h.Floats(y2), want,
			storedIn(x.precision, kerneltest.Bound{Abs: 1e-20, Rel: 1e-5}))
		x.gradients(t, name+" dab in halves", h.Floats(dab2), dyv, w3v, have, x.precision)
	}
	want, wantAB, sums := make([]float64, x.n*x.f), make([]float64, x.n*2*x.f), make([]float64, x.n*2*x.f)
	ref.MatMulSwiGLU(want, wantAB, kerneltest.Widen(xv), kerneltest.Widen(wv), x.n, x.c, x.f, ro)
	ref.MatMul(sums, magnitudes(xv), magnitudes(wv), x.n, 2*x.f, x.c, po)
	within(t, name+" ab", h.Floats(ab), wantAB, sums, x.c)
	within(t, name+" h", h.Floats(y), want, swigluScale(wantAB, sums, x.n, x.f, x.valueFirst), x.c+swigluRoundings)
	if !slices.Equal(h.Bits(y), h.Bits(alone)) {
		t.Errorf("%s: h is another without ab", name)
	}
	x.gradients(t, name+" dab", h.Floats(dab), dyv, w3v, h.Floats(ab), kernels.FP32)
	return slices.Concat(h.Floats(y), h.Floats(ab), h.Floats(dab))
}

// gradients holds dab, which lies in a precision, against the reference at the ab that the device has.
func (x fusedSwiGLU) gradients(t *testing.T, name string, dab, dy, w3, ab []float32, stored kernels.Precision) {
	t.Helper()
	have, round := kerneltest.Widen(ab), rounding(x.precision)
	want, dh := make([]float64, x.n*2*x.f), make([]float64, x.n*x.f)
	ref.MatMulSwiGLUBackward(want, kerneltest.Widen(dy), kerneltest.Widen(w3), have, x.n, x.c, x.f,
		ref.MatMulSwiGLUOptions[float64]{ValueFirst: x.valueFirst, Round: round})
	ref.MatMul(dh, magnitudes(dy), magnitudes(w3), x.n, x.f, x.c, ref.MatMulOptions[float64]{Round: round})
	withinStored(t, name, dab, want, swigluGradientScale(have, dh, x.n, x.f, x.valueFirst), x.c+swigluRoundings, stored)
}

// TestMatMulSwiGLU: both orders, with bias and without, around the tiles' edges, where rows can be read in fours and not. Without
// the whole sweep two sizes in fp32, and in half precisions the one whose tensors can be in halves; 01_tiled has fp16,
// 02_register and 03_vector have fp32, and 03_vector bf16.
func TestMatMulSwiGLU(t *testing.T) {
	eachRung(t, 3, func(t *testing.T, precision kernels.Precision) {
		sizes := [][3]int{{68, 20, 36}, {17, 5, 33}, {16, 4, 32}, {15, 37, 31}, {1, 1, 1}, {65, 8, 127}}
		if precision != kernels.FP32 {
			sizes = sizes[:2]
		}
		for i, s := range sizes {
			if !kerneltest.All() && (i > 1 || precision != kernels.FP32 && i > 0) || !inTurn(t, 1+i+2*int(precision)) {
				continue
			}
			fusedSwiGLU{s[0], s[1], s[2], i%2 == 0, i%3 != 0, precision}.run(t)
			fusedSwiGLU{s[0], s[1], s[2], i%2 == 1, i%3 != 0, precision}.run(t)
		}
	})
}

// TestMatMulSwiGLUCut: pieces of rows leave the same bits, and so does a second run.
func TestMatMulSwiGLUCut(t *testing.T) {
	for _, x := range []fusedSwiGLU{{n: 300, c: 16, f: 20, bias: true}, {n: 300, c: 12, f: 17, valueFirst: true}} {
		whole := x.run(t)
		if !slices.Equal(whole, x.run(t)) {
			t.Errorf("%+v: two runs differ", x)
		}
		kernels.SetRangeLimit(1 << 15)
		cut := x.run(t)
		kernels.SetRangeLimit(0)
		if !slices.Equal(whole, cut) {
			t.Errorf("%+v: cut, and not the same bits", x)
		}
	}
}

func TestMatMulSwiGLUMisuse(t *testing.T) {
	h := kerneltest.New(t)
	n, bias := func(shape ...int) kernels.Tensor { return h.Output(shape...) }, h.Output(3)
	ab := n(2, 5)
	for want, f := range map[string]func(p *engine.Program){
		"MatMulSwiGLU: h (2,3), x (2,4), w (5,4)": func(p *engine.Program) {
			kernels.MatMulSwiGLU(p, n(2, 3), nil, n(2, 4), n(5, 4), kernels.MatMulSwiGLUOptions{})
		},
		"MatMulSwiGLU: h (2,3), ab (2,5)": func(p *engine.Program) {
			kernels.MatMulSwiGLU(p, n(2, 3), &ab, n(2, 4), n(6, 4), kernels.MatMulSwiGLUOptions{})
		},
		"MatMulSwiGLU: h (2,3), x (2,4), w (6,4), bias (3)": func(p *engine.Program) {
			kernels.MatMulSwiGLU(p, n(2, 3), nil, n(2, 4), n(6, 4), kernels.MatMulSwiGLUOptions{Bias: &bias})
		},
		"MatMulSwiGLUBackward: dab (2,6), dy (2,4), w (4,5), ab (2,6)": func(p *engine.Program) {
			kernels.MatMulSwiGLUBackward(p, n(2, 6), n(2, 4), n(4, 5), n(2, 6), kernels.MatMulSwiGLUOptions{})
		},
		"MatMulSwiGLUBackward: c (2,6), a (5,4)": func(p *engine.Program) {
			kernels.MatMulSwiGLUBackward(p, n(2, 6), n(5, 4), n(4, 3), n(2, 6), kernels.MatMulSwiGLUOptions{})
		},
	} {
		p := engine.NewProgram(kerneltest.Device(t), "misuse")
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, ": kernels: "+want) {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			f(p)
		}()
	}
}
