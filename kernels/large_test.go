// SPDX-License-Identifier: MIT

package kernels_test

import (
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

// blog256 with 32 images: its tensors are longer than the 128 MiB that a binding reaches on lavapipe, so ops cut them. A few
// rows of each output are computed again in float64, those beside the cuts among them; the rest must at least be written.
const (
	largeB, largeT = 32, 441
	largeN         = largeB * largeT // tokens
	largeC         = 768
	largeF         = 3072
	largeH, largeD = 12, 64
)

// large skips where the test does not fit, and returns makers of inputs and outputs. An input's values are a few thousand
// random ones over and over, with a period that no row length divides.
func large(t *testing.T) (h *kerneltest.Run, input, output func(shape ...int) kernels.Tensor) {
	if testing.Short() {
		t.Skip("needs a GiB and seconds")
	}
	if available() < 4<<30 {
		t.Skip("needs 4 GiB of memory")
	}
	const period = 7919
	dev, base := kerneltest.Device(t), kerneltest.NewRand(1).Normal(period)
	make_ := func(fill bool, shape ...int) kernels.Tensor {
		n := (kernels.Tensor{Shape: shape}).Len()
		b, err := dev.NewBuffer("large", 4*int64(n))
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(b.Close)
		if fill {
			data := make([]byte, 0, 4*n)
			for i := range n {
				w := math.Float32bits(base[i%period])
				data = append(data, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
			}
			if err := dev.Upload(b.All(), data); err != nil {
				t.Fatal(err)
			}
		}
		return kernels.View(b.All(), shape...)
	}
	h = kerneltest.New(t)
	return h, func(shape ...int) kernels.Tensor { return make_(true, shape...) }, func(shape ...int) kernels.Tensor {
		y := make_(false, shape...)
		h.Run(func(p *engine.Program) { p.Fill(y.Range, 0x7fc00000) })
		return y
	}
}

// available is the machine's free memory in bytes, plenty where it is not known.
func available() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return math.MaxInt64
	}
	_, rest, _ := strings.Cut(string(text), "MemAvailable:")
	kib, err := strconv.ParseInt(strings.Fields(rest + " 0")[0], 10, 64)
	if err != nil {
		return math.MaxInt64
	}
	return kib << 10
}

// sampled are rows of n to look at: both ends, the middle, and those beside the cuts that pieces of 128 MiB make.
func sampled(n, width int) []int {
	at := []int{0, 1, n/3 + 1, n / 2, n - 2, n - 1}
	for cut := (128 << 20) / 4 / width; cut < n && len(at) < 30; cut += (128 << 20) / 4 / width {
		for _, r := range []int{cut - 64, cut - 1, cut, cut + 1} {
			at = append(at, min(max(r, 0), n-1))
		}
	}
	return at
}

// row downloads row r of a contiguous tensor whose rows have width floats, a multiple of 64.
func row(h *kerneltest.Run, x kernels.Tensor, r, width int) []float32 {
	return h.Floats(kernels.Tensor{Shape: []int{width}, Range: x.Range.Sub(4*int64(r)*int64(width), 4*int64(width))})
}

func wideRow(h *kerneltest.Run, x kernels.Tensor, r, width int) []float64 {
	return kerneltest.Widen(row(h, x, r, width))
}

// written fails where an output of n rows has a row that was not written.
func written(t *testing.T, h *kerneltest.Run, name string, x kernels.Tensor, n, width int) {
	t.Helper()
	const rows = 1008
	for r := 0; r < n; r += rows {
		m := min(rows, n-r)
		part := h.Floats(kernels.Tensor{Range: x.Range.Sub(4*int64(r)*int64(width), 4*int64(m)*int64(width))})
		for i, v := range part {
			if v != v {
				t.Fatalf("%s: row %d, column %d was not written", name, r+i/width, i%width)
			}
		}
	}
}

func TestLargeSwiGLU(t *testing.T) {
	h, input, output := large(t)
	ab, dh, y, dab := input(largeN, 2*largeF), input(largeN, largeF), output(largeN, largeF), output(largeN, 2*largeF)
	h.Run(func(p *engine.Program) {
		kernels.SwiGLU(p, y, ab, kernels.SwiGLUOptions{})
		kernels.SwiGLUBackward(p, dab, dh, ab, kernels.SwiGLUOptions{})
	})
	for _, r := range sampled(largeN, 2*largeF) {
		want, dwant := make([]float64, largeF), make([]float64, 2*largeF)
		abr := wideRow(h, ab, r, 2*largeF)
		ref.SwiGLU(want, abr, 1, largeF, false)
		ref.SwiGLUBackward(dwant, wideRow(h, dh, r, largeF), abr, 1, largeF, false)
		kerneltest.Equal(t, "swiglu h", row(h, y, r, largeF), want, 1e-5)
		kerneltest.Equal(t, "swiglu dab", row(h, dab, r, 2*largeF), dwant, 1e-5)
	}
	written(t, h, "h", y, largeN, largeF)
	written(t, h, "dab", dab, largeN, 2*largeF)
}

func TestLargeAttention(t *testing.T) {
	h, input, output := large(t)
	qkv, o, lse := input(largeB, largeT, 3*largeC), output(largeB, largeT, largeH, largeD), output(largeB, largeH, largeT)
	part := func(i int) kernels.Tensor {
		return kernels.Tensor{Shape: []int{largeB, largeT, largeH, largeD}, Range: qkv.Range, Ld: 3 * largeC, Off: i * largeC}
	}
	h.Run(func(p *engine.Program) {
		kernels.Attention(p, o, lse, part(0), part(1), part(2), kernels.AttentionOptions{})
	})
	for _, c := range [][3]int{{0, 0, 0}, {29, 3, 7}, {30, 11, 440}, {31, 11, 440}} { // image, head, token
		head := func(i, token int) []float64 { // that head's floats of q, k or v
			return wideRow(h, qkv, c[0]*largeT+token, 3*largeC)[i*largeC+c[1]*largeD:][:largeD]
		}
		k, v := make([]float64, 0, largeT*largeD), make([]float64, 0, largeT*largeD)
		for token := range largeT {
			k, v = append(k, head(1, token)...), append(v, head(2, token)...)
		}
		q := make([]float64, largeT*largeD)
		copy(q, head(0, c[2])) // the reference computes all rows; the first is the one
		want, wantLse := make([]float64, largeT*largeD), make([]float64, largeT)
		ref.Attention(want, wantLse, q, k, v, 1, largeT, 1, largeD, nil)
		kerneltest.Equal(t, "attention o", row(h, o, c[0]*largeT+c[2], largeC)[c[1]*largeD:][:largeD], want[:largeD], 1e-5)
	}
	written(t, h, "o", o, largeN, largeC)
	written(t, h, "lse", lse, largeB*largeH*largeT/64, 64)
}

// TestLargeRows: with 128 images, which (N,768) takes to go beyond 128 MiB.
func TestLargeRows(t *testing.T) {
	const n = 4 * largeN
	h, input, output := large(t)
	x, w, y, rstd := input(n, largeC), input(largeC), output(n, largeC), output(n)
	h.Run(func(p *engine.Program) { kernels.RMSNorm(p, y, rstd, x, w, 1e-6) })
	w64 := wideRow(h, w, 0, largeC)
	for _, r := range sampled(n, largeC) {
		want := make([]float64, largeC)
		ref.RMSNorm(want, make([]float64, 1), wideRow(h, x, r, largeC), w64, 1, largeC, 1e-6)
		kerneltest.Equal(t, "rmsnorm y", row(h, y, r, largeC), want, 1e-5)
	}
	written(t, h, "rmsnorm", y, n, largeC)
	h.Run(func(p *engine.Program) {
		p.Fill(y.Range, 0x7fc00000)
		kernels.Derf(p, y, x, w, w)
	})
	for _, r := range sampled(n, largeC) {
		want := make([]float64, largeC)
		ref.Derf(want, wideRow(h, x, r, largeC), w64, w64, 1, largeC)
		kerneltest.Equal(t, "derf y", row(h, y, r, largeC), want, 1e-5)
	}
	written(t, h, "derf", y, n, largeC)
}

// TestLargeMatMul: the second matrix of blog256's SwiGLU forward, and its weight's gradient, which sums over all tokens. N is
// cut down to 64 columns: the operand that is too long keeps its length.
func TestLargeMatMul(t *testing.T) {
	const N = 64
	h, input, output := large(t)
	x, w, y := input(largeN, largeF), input(N, largeF), output(largeN, N)
	dy, dw := input(largeN, N), output(N, largeF)
	h.Run(func(p *engine.Program) {
		kernels.MatMul(p, y, x, w, kernels.MatMulOptions{TransB: true})
		kernels.MatMul(p, dw, dy, x, kernels.MatMulOptions{TransA: true})
	})
	w64 := kerneltest.Widen(h.Floats(w))
	for _, r := range sampled(largeN, largeF) {
		want := make([]float64, N)
		ref.MatMul(want, wideRow(h, x, r, largeF), w64, 1, N, largeF, ref.MatMulOptions[float64]{TransB: true})
		kerneltest.Equal(t, "matmul y", row(h, y, r, N), want, 1e-5)
	}
	written(t, h, "y", y, largeN, N)

	// Columns of dw: sums over all tokens, of which each is a row of x. The bound grows with the chain of 14112 additions:
	// 2 sqrt(14112) roundings of half an ulp, of terms whose magnitudes Terms adds up.
	dy64 := kerneltest.Widen(h.Floats(dy))
	cols := []int{0, 1, 1000, largeF - 1}
	got := h.Floats(dw)
	sums, terms := make([]float64, N*len(cols)), make([]float64, N*len(cols))
	for r := range largeN {
		xr := row(h, x, r, largeF)
		for i := range N {
			for j, c := range cols {
				v := dy64[r*N+i] * float64(xr[c])
				sums[i*len(cols)+j] += v
				terms[i*len(cols)+j] += math.Abs(v)
			}
		}
	}
	picked := make([]float32, 0, len(sums))
	for i := range N {
		for _, c := range cols {
			picked = append(picked, got[i*largeF+c])
		}
	}
	kerneltest.Check(t, kerneltest.Case{Name: "matmul dw", Shape: []int{N, len(cols)}}, picked, sums,
		kerneltest.Bound{Rel: 1e-5, Terms: terms})
	written(t, h, "dw", dw, N, largeF)
}
