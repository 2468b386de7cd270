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

// normCases are tensors to normalise; width is that of a row in memory (a token's heads), c that of a normalised row.
var normCases = []struct {
	shape    []int
	width, c int
}{
	{[]int{1, 1}, 1, 1},
	{[]int{7, 3}, 3, 3},
	{[]int{9, 31}, 31, 31},
	{[]int{2, 8, 32}, 32, 32},
	{[]int{129, 33}, 33, 33},
	{[]int{257, 128}, 128, 128},
	{[]int{3, 768}, 768, 768},
	{[]int{1, 1, 1, 8}, 8, 8},
	{[]int{2, 17, 3, 32}, 96, 32},
	{[]int{2, 64, 4, 104}, 416, 104},
}

func TestRMSNorm(t *testing.T) {
	const eps = 0.1 // large enough to matter, and to keep dx of a single element from cancelling to nothing
	for _, c := range normCases {
		for _, l := range layouts {
			for _, acc := range []bool{false, true} {
				t.Run(fmt.Sprintf("%v/%s/acc=%v", c.shape, strideOf[l], acc), func(t *testing.T) {
					h, rnd := kerneltest.New(t), kerneltest.NewRand(1)
					size := kernels.Tensor{Shape: c.shape}.Len()
					n := size / c.c
					x, w, dy, dx0, dw0 := rnd.Normal(size), rnd.Normal(c.c), rnd.Normal(size), rnd.Normal(size), rnd.Normal(c.c)
					xt, dyt := rows(h, x, l, c.width, c.shape...), rows(h, dy, l.next(1), c.width, c.shape...)
					yt, dxt := rows(h, nil, l.next(2), c.width, c.shape...), rows(h, pick(acc, dx0), l.next(3), c.width, c.shape...)
					dwt := rows(h, pick(acc, dw0), packed, c.c, c.c)
					wt, rstdt := h.Input(w, c.c), h.Output(n)
					h.Run(func(p *engine.Program) {
						kernels.RMSNorm(p, yt.Tensor, rstdt, xt.Tensor, wt, eps)
						kernels.RMSNormBackward(p, dxt.Tensor, dwt.Tensor, dyt.Tensor, xt.Tensor, wt, rstdt, acc, acc)
					})
					y, rstd, dx, dw := make([]float64, size), make([]float64, n), make([]float64, size), make([]float64, c.c)
					x64, w64, dy64 := kerneltest.Widen(x), kerneltest.Widen(w), kerneltest.Widen(dy)
					ref.RMSNorm(y, rstd, x64, w64, n, c.c, eps)
					ref.RMSNormBackward(dx, dw, dy64, x64, w64, rstd, n, c.c)
					kerneltest.Equal(t, "y", yt.values(t), y, 1e-5)
					kerneltest.Equal(t, "rstd", h.Floats(rstdt), rstd, 1e-5)
					kerneltest.Equal(t, "dx", dxt.values(t), sum(pick(acc, dx0), dx), 1e-5)
					kerneltest.Equal(t, "dw", dwt.values(t), sum(pick(acc, dw0), dw), 1e-5)
				})
			}
		}
	}
}

// TestRMSNormExtremes: rows of zeros divide by sqrt(eps), large and small rows come out alike.
func TestRMSNormExtremes(t *testing.T) {
	const n, c, eps = 4, 40, 1e-6
	h, rnd := kerneltest.New(t), kerneltest.NewRand(2)
	x := rnd.Normal(n * c)
	for i := range c {
		x[i], x[c+i], x[2*c+i] = 0, x[c+i]*1e15, x[2*c+i]*1e-6
	}
	w := rnd.Normal(c)
	xt, wt, yt, rstdt := h.Input(x, n, c), h.Input(w, c), h.Output(n, c), h.Output(n)
	h.Run(func(p *engine.Program) { kernels.RMSNorm(p, yt, rstdt, xt, wt, eps) })
	y, rstd := make([]float64, n*c), make([]float64, n)
	ref.RMSNorm(y, rstd, kerneltest.Widen(x), kerneltest.Widen(w), n, c, eps)
	kerneltest.Equal(t, "y", h.Floats(yt), y, 1e-5)
}

func TestRMSNormTwice(t *testing.T) {
	twice(t, func(h *kerneltest.Run) (func(p *engine.Program), []kernels.Tensor) {
		const n, c = 300, 64
		rnd := kerneltest.NewRand(3)
		x, w, dy := h.Input(rnd.Normal(n*c), n, c), h.Input(rnd.Normal(c), c), h.Input(rnd.Normal(n*c), n, c)
		y, rstd, dx, dw := h.Output(n, c), h.Output(n), h.Output(n, c), h.Output(c)
		return func(p *engine.Program) {
			kernels.RMSNorm(p, y, rstd, x, w, 1e-6)
			kernels.RMSNormBackward(p, dx, dw, dy, x, w, rstd, false, false)
		}, []kernels.Tensor{y, rstd, dx, dw}
	})
}

func TestRMSNormMisuse(t *testing.T) {
	h := kerneltest.New(t)
	x, w, rstd := h.Output(4, 6), h.Output(6), h.Output(4)
	for name, f := range map[string]func(p *engine.Program){
		"w":    func(p *engine.Program) { kernels.RMSNorm(p, x, rstd, x, h.Output(5), 1e-6) },
		"rstd": func(p *engine.Program) { kernels.RMSNorm(p, x, h.Output(5), x, w, 1e-6) },
		"y":    func(p *engine.Program) { kernels.RMSNorm(p, h.Output(5, 6), rstd, x, w, 1e-6) },
		"ld": func(p *engine.Program) {
			kernels.RMSNorm(p, x, rstd, kernels.Tensor{Shape: x.Shape, Range: x.Range, Ld: 7}, w, 1e-6)
		},
	} {
		t.Run(name, func(t *testing.T) { mustPanic(t, "kernels: RMSNorm: ", f) })
	}
}
