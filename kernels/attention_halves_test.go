// SPDX-License-Identifier: MIT

package kernels_test

import (
	"slices"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
)

// TestAttentionInHalves: of tensors that lie in halves every rung makes what it makes of the same numbers in fp32, to the bit, and what
// it stores in halves is what it stores in fp32, rounded. Without the whole sweep, above 00_naive, in fp16, and with all tensors in halves.
func TestAttentionInHalves(t *testing.T) {
	const B, T, H, D = 2, 37, 2, 16
	all := []string{"q", "k", "v", "o", "do", "dq", "dk", "dv"}
	eachAttentionRung(t, func(t *testing.T, rung string, precision kernels.Precision) {
		switch {
		case precision == kernels.FP32:
			t.Skip("halves are of a precision below")
		case !kerneltest.All() && (precision == kernels.BF16 || rung == "attention/00_naive"):
			t.Skip("JITVK_TESTS=all")
		}
		sets := [][]string{all}
		if kerneltest.All() {
			sets = append(sets, []string{"q", "do", "dk"}, []string{"k", "o", "dv"}, []string{"v", "dq"})
		}
		rnd := kerneltest.NewRand(7)
		inputs := map[string][]float32{}
		for _, name := range []string{"q", "k", "v", "do"} {
			inputs[name] = kerneltest.Rounded(precision, rnd.Normal(B*T*H*D))
		}
		// run returns what a set of tensors in halves gives. givenO is the o of the backward pass.
		run := func(halves []string, givenO []float32) map[string][]float32 {
			h := kerneltest.New(t)
			x := map[string]rowTensor{}
			tensor := func(name, like string, data []float32, l layout) kernels.Tensor {
				in := kernels.FP32
				if slices.Contains(halves, like) {
					in = precision
				}
				x[name] = rowsOfPrecision(h, in, data, l, H*D, B, T, H, D)
				return x[name].Tensor
			}
			q, k := tensor("q", "q", inputs["q"], layout{gap: 8, off: 4}), tensor("k", "k", inputs["k"], packed)
			v, do := tensor("v", "v", inputs["v"], layout{gap: 4, off: 8}), tensor("do", "do", inputs["do"], layout{gap: 12, off: 4})
			o, given := tensor("o", "o", nil, layout{gap: 4, off: 4}), tensor("given", "o", givenO, packed)
			dq, dk := tensor("dq", "dq", nil, layout{gap: 8, off: 8}), tensor("dk", "dk", nil, packed)
			dv, lse := tensor("dv", "dv", nil, layout{gap: 4, off: 12}), h.Output(B, H, T)
			opt := kernels.AttentionOptions{Precision: precision, Rung: rung}
			h.Run(func(p *engine.Program) {
				kernels.Attention(p, o, lse, q, k, v, opt)
				kernels.AttentionBackward(p, dq, dk, dv, do, given, lse, q, k, v, opt)
			})
			out := map[string][]float32{"lse": h.Floats(lse)}
			for _, name := range []string{"o", "dq", "dk", "dv"} {
				out[name] = x[name].values(t)
			}
			return out
		}
		o := kerneltest.Rounded(precision, rnd.Normal(B*T*H*D))
		want := run(nil, o)
		for _, halves := range sets {
			got := run(halves, o)
			for name := range want {
				w := want[name]
				if slices.Contains(halves, name) {
					w = kerneltest.Rounded(precision, w)
				}
				if !slices.Equal(got[name], w) {
					t.Errorf("%v in halves: %s is another", halves, name)
				}
			}
		}
	})
}

// TestAttentionHalvesAreNamed: what lies in halves is part of a class, and what cannot is refused.
func TestAttentionHalvesAreNamed(t *testing.T) {
	d, err := engine.Open(engine.Options{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	p := engine.NewProgram(d, t.Name())
	defer p.Close()
	temp := func(in kernels.Precision) kernels.Tensor { return kernels.TempOfPrecision(p, "x", in, 1, 5, 1, 16) }
	x, half, lse := temp(kernels.FP32), temp(kernels.FP16), kernels.Temp(p, "lse", 1, 1, 5)
	for i, f := range []func(){
		func() { kernels.Attention(p, x, lse, half, x, x, kernels.AttentionOptions{}) },
		func() {
			kernels.Attention(p, x, lse, temp(kernels.BF16), x, x, kernels.AttentionOptions{Precision: kernels.FP16})
		},
	} {
		func() {
			defer func() {
				if r := recover(); r == nil {
					t.Errorf("call %d does not panic", i)
				}
			}()
			f()
		}()
	}
	c := kernels.Class{Op: "attention", Precision: kernels.FP16, Variant: "forward:q,k", Size: [4]int{1, 5, 1, 16}}
	if got := kernels.AttentionClass([4]int{1, 5, 1, 16}, kernels.FP16, "forward", "q,k"); got != c.String() {
		t.Errorf("%q, want %q", got, c)
	}
	if got, err := kernels.ParseClass(c.String()); err != nil || got != c {
		t.Errorf("%v, %v", got, err)
	}
}
