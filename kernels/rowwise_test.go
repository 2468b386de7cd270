// SPDX-License-Identifier: MIT

package kernels_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
)

// A layout is where the rows of a test tensor lie. gap floats come after each row, off floats before the first.
type layout struct{ gap, off int }

var (
	packed   = layout{}
	strided  = layout{gap: 2 * 8, off: 8}
	layouts  = []layout{packed, strided}
	strideOf = map[layout]string{packed: "packed", strided: "strided"}
)

// next is a layout for the next tensor of a call: packed stays packed, others differ, so that a shader that takes one
// tensor's stride for another's is caught.
func (l layout) next(i int) layout {
	if l == packed {
		return l
	}
	return layout{l.gap + 8*i, l.off + 4*i}
}

// rowTensor is a tensor of a run with what lay between its rows, which nobody may write.
type rowTensor struct {
	kernels.Tensor
	h           *kerneltest.Run
	rows, width int
	gap         []uint32
}

// rows uploads data, or NaN where data is nil, as rows of width floats in a layout.
func rows(h *kerneltest.Run, data []float32, l layout, width int, shape ...int) rowTensor {
	return rowsOfPrecision(h, kernels.FP32, data, l, width, shape...)
}

// rowsOfPrecision is rows for a tensor that may be in halves.
func rowsOfPrecision(h *kerneltest.Run, precision kernels.Precision, data []float32, l layout, width int, shape ...int) rowTensor {
	n := kernels.Tensor{Shape: shape}.Len() / width
	ld := width + l.gap
	all := make([]float32, l.off+n*ld)
	for i := range all {
		all[i] = float32(math.NaN()) // between rows and, for outputs, everywhere
	}
	for r := range n {
		if data != nil {
			copy(all[l.off+r*ld:][:width], data[r*width:])
		}
	}
	t := h.InputIn(precision, all, len(all))
	t.Shape = shape
	if l != packed {
		t.Ld, t.Off = ld, l.off
	}
	return rowTensor{t, h, n, width, h.Bits(t)}
}

// values returns the rows without gaps, after a look that the gaps are as they were.
func (x rowTensor) values(t testing.TB) []float32 {
	t.Helper()
	all, bits := x.h.Floats(x.Tensor), x.h.Bits(x.Tensor)
	ld := max(x.Ld, x.width)
	var out []float32
	at := x.Off
	for range x.rows {
		out = append(out, all[at:at+x.width]...)
		perWord := len(all) / len(bits) // 2 of halves
		copy(bits[at/perWord:(at+x.width)/perWord], x.gap[at/perWord:])
		at += ld
	}
	if !slices.Equal(bits, x.gap) {
		t.Fatal("something was written between the rows")
	}
	return out
}

// sum is base + x as float64, what an accumulating backward should leave; base nil is 0.
func sum(base []float32, x []float64) []float64 {
	out := slices.Clone(x)
	for i := range base {
		out[i] += float64(base[i])
	}
	return out
}

// pick returns data when on, else nil.
func pick(on bool, data []float32) []float32 {
	if on {
		return data
	}
	return nil
}

// twice runs record on two runs of fresh tensors and fails unless both leave the same bits.
func twice(t *testing.T, record func(h *kerneltest.Run) (func(p *engine.Program), []kernels.Tensor)) {
	t.Helper()
	var first [][]uint32
	for range 2 {
		h := kerneltest.New(t)
		run, outs := record(h)
		h.Run(run)
		var got [][]uint32
		for _, o := range outs {
			got = append(got, h.Bits(o))
		}
		if first == nil {
			first = got
		} else if !slices.EqualFunc(first, got, slices.Equal) {
			t.Error("two runs on the same input left different bits")
		}
	}
}

// mustPanic fails unless f panics with a string that begins with the op's name.
func mustPanic(t *testing.T, says string, f func(p *engine.Program)) {
	t.Helper()
	defer func() {
		t.Helper()
		if s, ok := recover().(string); !ok || !strings.Contains(s, "_test.go:") || !strings.Contains(s, ": "+says) {
			t.Errorf("panic %q, wanted one that says where and %q", s, says)
		}
	}()
	f(engine.NewProgram(kerneltest.Device(t), "misuse"))
}

// TestRowwiseCut: tensors longer than a binding are cut into pieces; what comes out is what comes out in one piece.
func TestRowwiseCut(t *testing.T) {
	const b, T, heads, d = 4, 16, 2, 16
	const n, c = b * T, heads * d
	kernels.SetRangeLimit(0)
	defer kernels.SetRangeLimit(0)
	rnd := kerneltest.NewRand(1)
	x, dy, w, wd := rnd.Normal(n*c), rnd.Normal(n*c), rnd.Normal(c), rnd.Normal(d)
	table := rnd.Normal(T * d / 2)
	var first [][]float32
	for _, limit := range []int64{0, 8 << 10} { // 8 KiB hold 42 rows of c+16 floats: two pieces or more
		kernels.SetRangeLimit(limit)
		h := kerneltest.New(t)
		row := func(data []float32) rowTensor { return rows(h, data, strided, c, b, T, heads, d) }
		xt, dyt, wt, wdt, tt := row(x), row(dy), h.Input(w, c), h.Input(wd, d), h.Input(table, T, d/2)
		outs := make([]rowTensor, 13)
		for i := range outs {
			outs[i] = row(nil)
		}
		vec := func(len int) rowTensor { return rows(h, nil, packed, len, len) }
		dw, da, ds, db, rstd, lse := vec(d), vec(c), vec(c), vec(c), h.Output(n*heads), h.Output(b, heads, T)
		dw2, da2, ds2 := vec(d), vec(c), vec(c)
		h.Run(func(p *engine.Program) {
			kernels.RMSNorm(p, outs[0].Tensor, rstd, xt.Tensor, wdt, 1e-6)
			kernels.RMSNormBackward(p, outs[1].Tensor, dw.Tensor, dyt.Tensor, xt.Tensor, wdt, rstd, false, false)
			kernels.Derf(p, outs[2].Tensor, xt.Tensor, wt, wt)
			kernels.DerfBackward(p, outs[3].Tensor, da.Tensor, ds.Tensor, dyt.Tensor, xt.Tensor, wt, wt, false, false)
			kernels.RoPE(p, outs[4].Tensor, xt.Tensor, tt, tt, kernels.RoPEOptions{})
			kernels.NormRoPE(p, outs[9].Tensor, rstd, xt.Tensor, wdt, tt, tt, 1e-6, false)
			kernels.NormRoPEBackward(p, outs[10].Tensor, dw2.Tensor, dyt.Tensor, outs[9].Tensor, xt.Tensor, wdt, rstd, tt, tt, false, false,
				false)
			kernels.DerfRoPE(p, outs[11].Tensor, xt.Tensor, wt, wt, tt, tt, false)
			kernels.DerfRoPEBackward(p, outs[12].Tensor, da2.Tensor, ds2.Tensor, dyt.Tensor, xt.Tensor, wt, wt, tt, tt, false, false, false)
			kernels.ColSum(p, db.Tensor, kernels.Tensor{Shape: []int{n, c}, Range: xt.Range, Ld: xt.Ld, Off: xt.Off}, false)
			kernels.Attention(p, outs[5].Tensor, lse, xt.Tensor, dyt.Tensor, xt.Tensor, kernels.AttentionOptions{})
			kernels.AttentionBackward(p, outs[6].Tensor, outs[7].Tensor, outs[8].Tensor, dyt.Tensor, outs[5].Tensor, lse, xt.Tensor,
				dyt.Tensor, xt.Tensor, kernels.AttentionOptions{})
		})
		for i, o := range append(outs, dw, da, ds, db, dw2, da2, ds2) {
			got := o.values(t)
			if limit == 0 {
				first = append(first, got)
				continue
			}
			want := kerneltest.Widen(first[i])
			kerneltest.Equal(t, []string{"rmsnorm", "rmsnorm dx", "derf", "derf dx", "rope", "attention", "dq", "dk", "dv", "normrope",
				"normrope dx", "derfrope", "derfrope dx",
				"dw", "dalpha", "dshift", "colsum", "normrope dw", "derfrope dalpha", "derfrope dshift"}[i], got, want, 1e-6)
		}
	}
}
