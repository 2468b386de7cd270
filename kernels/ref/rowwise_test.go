// SPDX-License-Identifier: MIT

package ref_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"jitvk/kernels/ref"
)

// param is one input of an op and the gradient that the op's backward gave for it.
type param struct {
	name       string
	value, got []float64
}

// checkGradients holds each got against central differences of Σ upstream·forward(), element by element.
func checkGradients(t *testing.T, upstream []float64, forward func() []float64, params ...param) {
	t.Helper()
	loss := func() (sum float64) {
		for i, y := range forward() {
			sum += upstream[i] * y
		}
		return sum
	}
	for _, p := range params {
		for i, at := range p.value {
			const h = 1e-5
			p.value[i] = at + h
			up := loss()
			p.value[i] = at - h
			want := (up - loss()) / (2 * h)
			p.value[i] = at
			if !(math.Abs(p.got[i]-want) <= 1e-7*(1+math.Abs(want))) {
				t.Errorf("d%s[%d] = %.12g, central difference %.12g", p.name, i, p.got[i], want)
				break
			}
		}
	}
}

func normals(seed uint64, n int) []float64 {
	rnd := rand.New(rand.NewPCG(seed, 7))
	x := make([]float64, n)
	for i := range x {
		x[i] = rnd.NormFloat64()
	}
	return x
}

func TestRMSNormGradients(t *testing.T) {
	const n, c, eps = 5, 7, 0.1 // an eps that matters
	x, w, dy := normals(1, n*c), normals(2, c), normals(3, n*c)
	y, rstd, dx, dw := make([]float64, n*c), make([]float64, n), make([]float64, n*c), make([]float64, c)
	forward := func() []float64 { ref.RMSNorm(y, rstd, x, w, n, c, eps); return y }
	forward()
	ref.RMSNormBackward(dx, dw, dy, x, w, rstd, n, c)
	checkGradients(t, dy, forward, param{"x", x, dx}, param{"w", w, dw})
}

func TestNormModulateGradients(t *testing.T) {
	const b, T, c, eps = 2, 3, 7, 0.1
	x, w, scale, shift, dy := normals(1, b*T*c), normals(2, c), normals(3, b*c), normals(4, b*c), normals(5, b*T*c)
	y, rstd, dx, dw := make([]float64, b*T*c), make([]float64, b*T), make([]float64, b*T*c), make([]float64, c)
	dscale, dshift := make([]float64, b*c), make([]float64, b*c)
	forward := func() []float64 { ref.NormModulate(y, rstd, x, w, scale, shift, b, T, c, eps); return y }
	forward()
	ref.NormModulateBackward(dx, dw, dscale, dshift, dy, x, w, scale, rstd, b, T, c)
	checkGradients(t, dy, forward, param{"x", x, dx}, param{"w", w, dw}, param{"scale", scale, dscale}, param{"shift", shift, dshift})
}

func TestDerfGradients(t *testing.T) {
	const n, c = 5, 7
	x, alpha, shift, dy := normals(1, n*c), normals(2, c), normals(3, c), normals(4, n*c)
	y, dx, da, ds := make([]float64, n*c), make([]float64, n*c), make([]float64, c), make([]float64, c)
	ref.DerfBackward(dx, da, ds, dy, x, alpha, shift, n, c)
	forward := func() []float64 { ref.Derf(y, x, alpha, shift, n, c); return y }
	checkGradients(t, dy, forward, param{"x", x, dx}, param{"alpha", alpha, da}, param{"shift", shift, ds})
}

// TestRoPEGradients: the inverse rotation is the gradient, and undoes the rotation.
func TestRoPEGradients(t *testing.T) {
	const b, T, h, d = 2, 3, 2, 8
	for _, interleaved := range []bool{false, true} {
		x, dy, angle := normals(1, b*T*h*d), normals(2, b*T*h*d), normals(3, T*d/2)
		cos, sin := make([]float64, len(angle)), make([]float64, len(angle))
		for i, a := range angle {
			sin[i], cos[i] = math.Sincos(a)
		}
		y, dx := make([]float64, len(x)), make([]float64, len(x))
		ref.RoPE(dx, dy, cos, sin, b, T, h, d, true, interleaved)
		forward := func() []float64 { ref.RoPE(y, x, cos, sin, b, T, h, d, false, interleaved); return y }
		checkGradients(t, dy, forward, param{"x", x, dx})
		ref.RoPE(y, forward(), cos, sin, b, T, h, d, true, interleaved)
		for i := range x {
			if math.Abs(y[i]-x[i]) > 1e-12 {
				t.Fatalf("interleaved %v: turned and turned back, x[%d] = %g became %g", interleaved, i, x[i], y[i])
			}
		}
	}
}

func TestNormRoPEGradients(t *testing.T) {
	const b, T, h, d, eps = 2, 3, 2, 8, 0.1
	for _, interleaved := range []bool{false, true} {
		x, w, dy, cos, sin := normals(1, b*T*h*d), normals(2, d), normals(3, b*T*h*d), normals(4, T*d/2), normals(5, T*d/2)
		y, rstd, dx, dw := make([]float64, len(x)), make([]float64, b*T*h), make([]float64, len(x)), make([]float64, d)
		forward := func() []float64 {
			ref.NormRoPE(y, rstd, x, w, cos, sin, b, T, h, d, eps, interleaved)
			return y
		}
		forward()
		ref.NormRoPEBackward(dx, dw, dy, x, w, rstd, cos, sin, b, T, h, d, interleaved)
		checkGradients(t, dy, forward, param{"x", x, dx}, param{"w", w, dw})
	}
}

func TestDerfRoPEGradients(t *testing.T) {
	const b, T, h, d = 2, 3, 2, 8
	for _, interleaved := range []bool{false, true} {
		x, alpha, shift, dy, cos, sin := normals(1, b*T*h*d), normals(2, h*d), normals(3, h*d), normals(4, b*T*h*d), normals(5, T*d/2),
			normals(6, T*d/2)
		y, dx, da, ds := make([]float64, len(x)), make([]float64, len(x)), make([]float64, h*d), make([]float64, h*d)
		ref.DerfRoPEBackward(dx, da, ds, dy, x, alpha, shift, cos, sin, b, T, h, d, interleaved)
		forward := func() []float64 { ref.DerfRoPE(y, x, alpha, shift, cos, sin, b, T, h, d, interleaved); return y }
		checkGradients(t, dy, forward, param{"x", x, dx}, param{"alpha", alpha, da}, param{"shift", shift, ds})
	}
}

func TestColSumGradient(t *testing.T) {
	const n, c = 5, 3 // y = x + bias, so dbias is the column sum
	bias, dy, db, y := normals(1, c), normals(2, n*c), make([]float64, c), make([]float64, n*c)
	ref.ColSum(db, dy, n, c)
	forward := func() []float64 {
		for i := range y {
			y[i] = bias[i%c]
		}
		return y
	}
	checkGradients(t, dy, forward, param{"bias", bias, db})
}

func TestAttentionGradients(t *testing.T) {
	for _, T := range []int{1, 5} {
		const b, h, d = 2, 2, 8
		n := b * T * h * d
		q, k, v, do := normals(1, n), normals(2, n), normals(3, n), normals(4, n)
		o, lse := make([]float64, n), make([]float64, b*h*T)
		dq, dk, dv := make([]float64, n), make([]float64, n), make([]float64, n)
		forward := func() []float64 { ref.Attention(o, lse, q, k, v, b, T, h, d, nil); return o }
		ref.AttentionBackward(dq, dk, dv, do, forward(), lse, q, k, v, b, T, h, d, nil)
		checkGradients(t, do, forward, param{"q", q, dq}, param{"k", k, dk}, param{"v", v, dv})
	}
}

// TestAttentionOfEqualKeys: equal keys weigh all values alike, whatever the query; large scores do not overflow.
func TestAttentionOfEqualKeys(t *testing.T) {
	const T, d = 4, 8
	q, k, v := normals(1, T*d), make([]float64, T*d), normals(2, T*d)
	for i := range k {
		k[i] = 1000
	}
	o, lse := make([]float64, T*d), make([]float64, T)
	ref.Attention(o, lse, q, k, v, 1, T, 1, d, nil)
	for i := range o {
		mean := (v[i%d] + v[d+i%d] + v[2*d+i%d] + v[3*d+i%d]) / T
		if !(math.Abs(o[i]-mean) < 1e-12) {
			t.Fatalf("o[%d] = %g, mean of the values %g", i, o[i], mean)
		}
	}
}
