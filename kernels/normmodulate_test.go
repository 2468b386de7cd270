// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

// parts returns n rows of width floats each as the columns from i*width on of one tensor (B,n*width): views as adaLN has them.
func parts(x rowTensor, n, width int) (views []kernels.Tensor) {
	for i := range n {
		views = append(views, kernels.Tensor{Shape: []int{x.rows, width}, Range: x.Range, Ld: n * width, Off: i * width})
	}
	return views
}

// column is part i of n of each row of x, which has width floats a part.
func column(x []float32, i, n, width int) (out []float32) {
	for at := i * width; at < len(x); at += n * width {
		out = append(out, x[at:at+width]...)
	}
	return out
}

func TestNormModulate(t *testing.T) {
	const eps, n = 0.1, 6
	for _, c := range []struct{ b, t, c int }{{1, 1, 1}, {2, 7, 3}, {3, 8, 31}, {2, 9, 32}, {3, 129, 33}, {1, 257, 128}, {2, 17, 768}} {
		for _, acc := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/acc=%v", c, acc), func(t *testing.T) {
				h, rnd := kerneltest.New(t), kerneltest.NewRand(1)
				size := c.b * c.t * c.c
				x, w, dy, mod := rnd.Normal(size), rnd.Normal(c.c), rnd.Normal(size), rnd.Normal(c.b*n*c.c)
				dx0, dw0, dmod0 := rnd.Normal(size), rnd.Normal(c.c), rnd.Normal(c.b*n*c.c)
				shape := []int{c.b, c.t, c.c}
				xt, wt, dyt, yt, rstdt := h.Input(x, shape...), h.Input(w, c.c), h.Input(dy, shape...), h.Output(shape...),
					h.Output(c.b, c.t)
				dxt, dwt := rows(h, pick(acc, dx0), packed, c.c, shape...), rows(h, pick(acc, dw0), packed, c.c, c.c)
				dmodt := rows(h, pick(acc, dmod0), packed, n*c.c, c.b, n*c.c)
				m, dm := parts(rows(h, mod, packed, n*c.c, c.b, n*c.c), n, c.c), parts(dmodt, n, c.c)
				// Shift and scale of the second half, as a block's MLP has them; both gradients into one tensor.
				h.Run(func(p *engine.Program) {
					kernels.NormModulate(p, yt, rstdt, xt, wt, m[4], m[3], eps)
					kernels.NormModulateBackward(p, dxt.Tensor, dwt.Tensor, dm[4], dm[3], dyt, xt, wt, m[4], rstdt, acc, acc, acc)
				})
				y, rstd, dx, dw := make([]float64, size), make([]float64, c.b*c.t), make([]float64, size), make([]float64, c.c)
				dscale, dshift := make([]float64, c.b*c.c), make([]float64, c.b*c.c)
				x64, w64, dy64, scale, shift := kerneltest.Widen(x), kerneltest.Widen(w), kerneltest.Widen(dy),
					kerneltest.Widen(column(mod, 4, n, c.c)), kerneltest.Widen(column(mod, 3, n, c.c))
				ref.NormModulate(y, rstd, x64, w64, scale, shift, c.b, c.t, c.c, eps)
				ref.NormModulateBackward(dx, dw, dscale, dshift, dy64, x64, w64, scale, rstd, c.b, c.t, c.c)
				kerneltest.Equal(t, "y", h.Floats(yt), y, 1e-5)
				kerneltest.Equal(t, "rstd", h.Floats(rstdt), rstd, 1e-5)
				kerneltest.Equal(t, "dx", dxt.values(t), sum(pick(acc, dx0), dx), 1e-5)
				kerneltest.Equal(t, "dw", dwt.values(t), sum(pick(acc, dw0), dw), 1e-5)
				got := dmodt.values(t)
				kerneltest.Equal(t, "dscale", column(got, 4, n, c.c), sum(pick(acc, column(dmod0, 4, n, c.c)), dscale), 1e-5)
				kerneltest.Equal(t, "dshift", column(got, 3, n, c.c), sum(pick(acc, column(dmod0, 3, n, c.c)), dshift), 1e-5)
				for i, w := range h.Bits(dmodt.Tensor) {
					if part := i / c.c % n; part != 3 && part != 4 && w != dmodt.gap[i] {
						t.Fatalf("part %d of the modulations' gradient was written", part)
					}
				}
			})
		}
	}
}

// TestNormModulateExtremes: rows of zeros come out as the shift; large and small rows come out alike.
func TestNormModulateExtremes(t *testing.T) {
	const b, T, c, eps = 1, 4, 40, 1e-6
	h, rnd := kerneltest.New(t), kerneltest.NewRand(2)
	x := rnd.Normal(b * T * c)
	for i := range c {
		x[i], x[c+i], x[2*c+i] = 0, x[c+i]*1e15, x[2*c+i]*1e-6
	}
	w, scale, shift := rnd.Normal(c), rnd.Normal(c), rnd.Normal(c)
	xt, wt, yt, rstdt, at, bt := h.Input(x, b, T, c), h.Input(w, c), h.Output(b, T, c), h.Output(b, T), h.Input(scale, b, c),
		h.Input(shift, b, c)
	h.Run(func(p *engine.Program) { kernels.NormModulate(p, yt, rstdt, xt, wt, at, bt, eps) })
	y := make([]float64, b*T*c)
	ref.NormModulate(y, make([]float64, b*T), kerneltest.Widen(x), kerneltest.Widen(w), kerneltest.Widen(scale), kerneltest.Widen(shift), b,
		T, c, eps)
	kerneltest.Equal(t, "y", h.Floats(yt), y, 1e-5)
}

func TestNormModulateTwice(t *testing.T) {
	twice(t, func(h *kerneltest.Run) (func(p *engine.Program), []kernels.Tensor) {
		const b, T, c = 3, 150, 64
		rnd := kerneltest.NewRand(3)
		x, w, dy := h.Input(rnd.Normal(b*T*c), b, T, c), h.Input(rnd.Normal(c), c), h.Input(rnd.Normal(b*T*c), b, T, c)
		scale, shift := h.Input(rnd.Normal(b*c), b, c), h.Input(rnd.Normal(b*c), b, c)
		y, rstd, dx, dw, da, db := h.Output(b, T, c), h.Output(b, T), h.Output(b, T, c), h.Output(c), h.Output(b, c), h.Output(b, c)
		return func(p *engine.Program) {
			kernels.NormModulate(p, y, rstd, x, w, scale, shift, 1e-6)
			kernels.NormModulateBackward(p, dx, dw, da, db, dy, x, w, scale, rstd, false, false, false)
		}, []kernels.Tensor{y, rstd, dx, dw, da, db}
	})
}

// TestNormModulateCut: batches longer than a binding are cut between images; what comes out is what comes out in one piece.
func TestNormModulateCut(t *testing.T) {
	const b, T, c = 8, 16, 32
	defer kernels.SetRangeLimit(0)
	rnd := kerneltest.NewRand(4)
	x, dy, w, mod := rnd.Normal(b*T*c), rnd.Normal(b*T*c), rnd.Normal(c), rnd.Normal(b*2*c)
	y, rstd, dx, dw := make([]float64, b*T*c), make([]float64, b*T), make([]float64, b*T*c), make([]float64, c)
	dscale, dshift := make([]float64, b*c), make([]float64, b*c)
	x64, dy64, w64, scale, shift := kerneltest.Widen(x), kerneltest.Widen(dy), kerneltest.Widen(w), kerneltest.Widen(column(mod, 0, 2, c)),
		kerneltest.Widen(column(mod, 1, 2, c))
	ref.NormModulate(y, rstd, x64, w64, scale, shift, b, T, c, 1e-6)
	ref.NormModulateBackward(dx, dw, dscale, dshift, dy64, x64, w64, scale, rstd, b, T, c)
	for _, limit := range []int64{0, 4 * 4 * T * c} { // 4 images: two pieces
		kernels.SetRangeLimit(limit)
		h := kerneltest.New(t)
		xt, dyt, wt, yt, rstdt := h.Input(x, b, T, c), h.Input(dy, b, T, c), h.Input(w, c), h.Output(b, T, c), h.Output(b, T)
		dxt, dwt, dmodt := h.Output(b, T, c), h.Output(c), rows(h, nil, packed, 2*c, b, 2*c)
		m, dm := parts(rows(h, mod, packed, 2*c, b, 2*c), 2, c), parts(dmodt, 2, c)
		h.Run(func(p *engine.Program) {
			kernels.NormModulate(p, yt, rstdt, xt, wt, m[0], m[1], 1e-6)
			kernels.NormModulateBackward(p, dxt, dwt, dm[0], dm[1], dyt, xt, wt, m[0], rstdt, false, false, false)
		})
		kerneltest.Equal(t, "y", h.Floats(yt), y, 1e-5)
		kerneltest.Equal(t, "dx", h.Floats(dxt), dx, 1e-5)
		kerneltest.Equal(t, "dw", h.Floats(dwt), dw, 1e-5)
		kerneltest.Equal(t, "dscale", column(dmodt.values(t), 0, 2, c), dscale, 1e-5)
		kerneltest.Equal(t, "dshift", column(dmodt.values(t), 1, 2, c), dshift, 1e-5)
	}
}

func TestNormModulateMisuse(t *testing.T) {
	h := kerneltest.New(t)
	x, w, rstd, rowOf := h.Output(2, 4, 6), h.Output(6), h.Output(2, 4), h.Output(2, 6)
	for name, f := range map[string]func(p *engine.Program){
		"w":     func(p *engine.Program) { kernels.NormModulate(p, x, rstd, x, h.Output(5), rowOf, rowOf, 1e-6) },
		"rstd":  func(p *engine.Program) { kernels.NormModulate(p, x, h.Output(5), x, w, rowOf, rowOf, 1e-6) },
		"y":     func(p *engine.Program) { kernels.NormModulate(p, h.Output(2, 5, 6), rstd, x, w, rowOf, rowOf, 1e-6) },
		"scale": func(p *engine.Program) { kernels.NormModulate(p, x, rstd, x, w, h.Output(3, 6), rowOf, 1e-6) },
		"shift": func(p *engine.Program) { kernels.NormModulate(p, x, rstd, x, w, rowOf, h.Output(2, 5), 1e-6) },
		"ld": func(p *engine.Program) {
			kernels.NormModulate(p, x, rstd, x, w, rowOf, kernels.Tensor{Shape: rowOf.Shape, Range: rowOf.Range, Ld: 7}, 1e-6)
		},
	} {
		t.Run(name, func(t *testing.T) { mustPanic(t, "kernels: NormModulate: ", f) })
	}
}
