// SPDX-License-Identifier: MIT

package autograd

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
)

// TestHalvesKeepTheBits: a norm whose output an MLP and a linear layer read, forward and backward, has the bits of the same kernels
// with the norm's output and the weights in fp32, which the products round as they load them. Without the whole sweep in fp16 only:
// the tape treats both alike, and package kernels tests both.
func TestHalvesKeepTheBits(t *testing.T) {
	precisions := []kernels.Precision{kernels.FP16}
	if kerneltest.All() {
		precisions = append(precisions, kernels.BF16)
	}
	for _, precision := range precisions {
		r, rnd := kerneltest.New(t), kerneltest.NewRand(8)
		in := func(shape ...int) kernels.Tensor {
			return r.Input(rnd.Normal(kernels.Tensor{Shape: shape}.Len()), shape...)
		}
		x, w, w12, w3, w4, b4, dz := in(B, T, C), in(C), in(2*F, C), in(C, F), in(C, C), in(C), in(B, T, C)
		out := func() []kernels.Tensor { // z, dx, dw, dw12, dw3, dw4, db4
			z, dx, dw := r.Output(B, T, C), r.Output(B, T, C), r.Output(C)
			return []kernels.Tensor{z, dx, dw, r.Output(2*F, C), r.Output(C, F), r.Output(C, C), r.Output(C)}
		}
		got, want := out(), out()
		r.Run(func(p *engine.Program) {
			tape := New(p)
			tape.Precision = precision
			leaf, params := tape.Leaf(x), []*Var{}
			for i, v := range []kernels.Tensor{w, w12, w3, w4, b4} {
				params = append(params, tape.Param(fmt.Sprint("p", i), v, got[2+i]))
			}
			n := tape.RMSNorm(leaf, params[0], eps)
			y := tape.SwiGLUMLP(n, params[1], nil, params[2], nil, leaf, false)
			z := tape.Linear(n, params[3], params[4], y)
			if n.Value.Precision != precision || len(tape.halves) != 3 {
				t.Errorf("%v: the norm is in %v and %d weights are rounded, want 3", precision, n.Value.Precision, len(tape.halves))
			}
			p.Copy(got[0].Range, z.Value.Range)
			tape.Seed(z, kernels.View(copied(p, dz), B, T, C))
			tape.Backward()
			p.Copy(got[1].Range, leaf.Grad().Range)
		})
		r.Run(func(p *engine.Program) {
			const N = B * T
			flat := func(label string, width int) kernels.Tensor { return kernels.Temp(p, label, N, width) }
			half := func(label string, width int) kernels.Tensor {
				return kernels.TempOfPrecision(p, label, precision, N, width)
			}
			n, rstd, h, ab, y := flat("n", C), kernels.Temp(p, "rstd", N), half("h", F), half("ab", 2*F), flat("y", C)
			dab, dn := half("dab", 2*F), flat("dn", C)
			x, z, dx, dz := x.Reshape(N, C), want[0].Reshape(N, C), want[1].Reshape(N, C), dz.Reshape(N, C)
			forward, swiglu := kernels.MatMulOptions{TransB: true, Precision: precision}, kernels.MatMulSwiGLUOptions{Precision: precision}
			kernels.RMSNorm(p, n, rstd, x, w, eps)
			kernels.MatMulSwiGLU(p, h, &ab, n, w12, swiglu)
			forward.Residual = &x
			kernels.MatMul(p, y, h, w3, forward)
			forward.Residual, forward.Bias = &y, &b4
			kernels.MatMul(p, z, n, w4, forward)
			weight := kernels.MatMulOptions{TransA: true, Precision: precision}
			kernels.MatMul(p, want[5], dz, n, kernels.MatMulOptions{TransA: true, Precision: precision, RowSum: &want[6]})
			first := half("first contribution to dn", C)
			kernels.MatMul(p, first, dz, w4, kernels.MatMulOptions{Precision: precision})
			kernels.Cast(p, dn, first)
			kernels.MatMul(p, want[4], dz, h, weight)
			kernels.MatMulSwiGLUBackward(p, dab, dz, w3, ab, swiglu)
			kernels.MatMul(p, want[3], dab, n, weight)
			kernels.MatMul(p, dn, dab, w12, kernels.MatMulOptions{Precision: precision, Accumulate: true})
			p.Copy(dx.Range, dz.Range) // of the residual
			kernels.RMSNormBackward(p, dx, want[2], dn, x, w, rstd, true, false)
		})
		for i, name := range []string{"z", "dx", "dw", "dw12", "dw3", "dw4", "db4"} {
			if !slices.Equal(r.Bits(got[i]), r.Bits(want[i])) {
				t.Errorf("%v: %s has other bits than with fp32 in memory", precision, name)
			}
		}
	}
}

// TestHeadsInHalves: a block's attention between two products and a residual, forward and backward, has the bits of the same kernels with
// all of memory in fp32, whose results are rounded where the tape keeps halves.
func TestHeadsInHalves(t *testing.T) {
	const precision, H, D = kernels.FP16, 2, 16
	const C, N = H * D, B * T
	r, rnd := kerneltest.New(t), kerneltest.NewRand(11)
	in := func(shape ...int) kernels.Tensor {
		return r.Input(rnd.Normal(kernels.Tensor{Shape: shape}.Len()), shape...)
	}
	x, wqkv, bqkv, wn, alpha, shift, wo, dy := in(B, T, C), in(3*C, C), in(3*C), in(D), in(C), in(C), in(C, C), in(B, T, C)
	w0, w1, cos, sin := in(C, C), in(C), in(T, D/2), in(T, D/2)
	shapes := [][]int{{B, T, C}, {B, T, C}, {3 * C, C}, {3 * C}, {D}, {C}, {C}, {C, C}, {C, C}, {C}}
	names := []string{"y", "dx", "dwqkv", "dbqkv", "dwn", "dalpha", "dshift", "dwo", "dw0", "dw1"}
	var got, want []kernels.Tensor
	for _, s := range shapes {
		got, want = append(got, r.Output(s...)), append(want, r.Output(s...))
	}
	r.Run(func(p *engine.Program) {
		tape := New(p)
		tape.Precision = precision
		leaf, params := tape.Leaf(x), []*Var{}
		for i, v := range []kernels.Tensor{wqkv, bqkv, wn, alpha, shift, wo, w0, w1} {
			params = append(params, tape.Param(fmt.Sprint("p", i), v, got[2+i]))
		}
		first := tape.Linear(leaf, params[6], nil, nil)
		heads := tape.LinearHeads(tape.RMSNorm(first, params[7], eps), params[0], params[1], 3, H)
		q, k := tape.NormRoPE(heads[0], params[2], cos, sin, eps, false), tape.DerfRoPE(heads[1], params[3], params[4], cos, sin, true)
		o := tape.Attention(q, k, heads[2])
		y := tape.Linear(tape.Reshape(o, B, T, C), params[5], nil, first)
		for i, v := range []*Var{heads[0], q, k, heads[2], o} {
			if v.Value.Precision != precision {
				t.Errorf("%d: %v is not in halves", i, v)
			}
		}
		p.Copy(got[0].Range, y.Value.Range)
		tape.Seed(y, kernels.View(copied(p, dy), B, T, C))
		tape.Backward()
		p.Copy(got[1].Range, leaf.Grad().Range)
		if q.grad.Precision != precision || heads[2].grad.Precision != precision || o.grad.Precision != precision {
			t.Errorf("gradients %v, %v and %v are not in halves", q.grad, heads[2].grad, o.grad)
		}
		if first.half.Precision != precision || first.half.Shape == nil {
			t.Error("the first product's backward reads no copy in halves")
		}
	})
	r.Run(func(p *engine.Program) {
		// round is a tensor's numbers as halves hold them.
		round := func(x kernels.Tensor) {
			half := kernels.TempOfPrecision(p, "half", precision, x.Shape...)
			kernels.Cast(p, half, x)
			kernels.Cast(p, x, half)
		}
		heads := func() kernels.Tensor { return kernels.Temp(p, "heads", B, T, H, D) }
		view := func(x kernels.Tensor, i int) kernels.Tensor {
			return kernels.Tensor{Shape: []int{B, T, H, D}, Range: x.Range, Ld: 3 * C, Off: i * C}
		}
		qkv, dqkv := kernels.Temp(p, "qkv", N, 3*C), kernels.Temp(p, "dqkv", N, 3*C)
		q, k, o, dq, dk, do := heads(), heads(), heads(), heads(), heads(), heads()
		rstd, lse := kernels.Temp(p, "rstd", B, T, H), kernels.Temp(p, "lse", B, H, T)
		x, y, dy, dx := x.Reshape(N, C), want[0].Reshape(N, C), dy.Reshape(N, C), want[1].Reshape(N, C)
		rows := func(label string) kernels.Tensor { return kernels.Temp(p, label, N, C) }
		first, n, dn, dfirst := rows("first"), rows("n"), rows("dn"), rows("d first")
		v, options, rstd0 := view(qkv, 2), kernels.AttentionOptions{Precision: precision}, kernels.Temp(p, "rstd", N)
		forward := kernels.MatMulOptions{TransB: true, Precision: precision}
		kernels.MatMul(p, first, x, w0, forward)
		kernels.RMSNorm(p, n, rstd0, first, w1, eps)
		kernels.MatMul(p, qkv, n, wqkv, kernels.MatMulOptions{TransB: true, Precision: precision, Bias: &bqkv})
		round(qkv)
		kernels.NormRoPE(p, q, rstd, view(qkv, 0), wn, cos, sin, eps, false)
		round(q)
		kernels.DerfRoPE(p, k, view(qkv, 1), alpha, shift, cos, sin, true)
		round(k)
		kernels.Attention(p, o, lse, q, k, v, options)
		round(o)
		forward.Residual = &first
		kernels.MatMul(p, y, o.Reshape(N, C), wo, forward)
		kernels.MatMul(p, want[7], dy, o.Reshape(N, C), kernels.MatMulOptions{TransA: true, Precision: precision})
		kernels.MatMul(p, do.Reshape(N, C), dy, wo, kernels.MatMulOptions{Precision: precision})
		round(do)
		kernels.AttentionBackward(p, dq, dk, view(dqkv, 2), do, o, lse, q, k, v, options)
		round(dq)
		round(dk)
		kernels.DerfRoPEBackward(p, view(dqkv, 1), want[5], want[6], dk, view(qkv, 1), alpha, shift, cos, sin, true, false, false)
		kernels.NormRoPEBackward(p, view(dqkv, 0), want[4], dq, q, view(qkv, 0), wn, rstd, cos, sin, false, false, false)
		round(dqkv)
		kernels.MatMul(p, want[2], dqkv, n, kernels.MatMulOptions{TransA: true, Precision: precision, RowSum: &want[3]})
		kernels.MatMul(p, dn, dqkv, wqkv, kernels.MatMulOptions{Precision: precision})
		round(dn)
		p.Copy(dfirst.Range, dy.Range)
		kernels.RMSNormBackward(p, dfirst, want[9], dn, first, w1, rstd0, true, false)
		kernels.MatMul(p, want[8], dfirst, x, kernels.MatMulOptions{TransA: true, Precision: precision})
		kernels.MatMul(p, dx, dfirst, w0, kernels.MatMulOptions{Precision: precision})
	})
	for i, name := range names {
		if !slices.Equal(r.Bits(got[i]), r.Bits(want[i])) {
			t.Errorf("%s has other bits than by hand", name)
		}
	}
}

// copied is a range's contents in a temporary, where a backward pass may overwrite them.
func copied(p *engine.Program, x kernels.Tensor) engine.Range {
	r := kernels.Temp(p, "copy", x.Shape...).Range
	p.Copy(r, x.Range)
	return r
}

// TestHalvesOnTheTape: what is in halves and what is not, and that an op that knows no halves takes none.
func TestHalvesOnTheTape(t *testing.T) {
	tape, leaf, _ := plan(t)
	tape.Precision = kernels.BF16
	x, c := leaf(B, T, C), leaf(C)
	for name, norm := range map[string]func() *Var{
		"rmsnorm": func() *Var { return tape.RMSNorm(x, c, eps) }, "derf": func() *Var { return tape.Derf(x, c, c) },
		"normmodulate": func() *Var { return tape.NormModulate(x, c, leaf(B, C), leaf(B, C), eps) },
	} {
		if v := norm(); v.Value.Precision != kernels.BF16 {
			t.Errorf("%s is in %v", name, v.Value.Precision)
		}
		for op, f := range map[string]func(v *Var){
			"silu": func(v *Var) { tape.SiLU(v) }, "gate": func(v *Var) { tape.Gate(x, v, leaf(B, C)) },
			"residual": func(v *Var) { tape.Linear(x, leaf(C, C), nil, v) }, "norm": func(v *Var) { tape.RMSNorm(v, c, eps) },
			"heads": func(v *Var) { tape.RMSNorm(tape.Heads(v, 1, H)[0], leaf(D), eps) },
		} {
			func() {
				defer func() {
					if msg, _ := recover().(string); !strings.Contains(msg, ": kernels: ") || !strings.Contains(msg, "bf16") {
						t.Errorf("%s of %s: panic %q", op, name, msg)
					}
				}()
				f(norm())
			}()
		}
	}
	for name, v := range map[string]*Var{
		"heads": tape.RMSNorm(leaf(B, T, H, D), leaf(D), eps), "odd rows": tape.RMSNorm(leaf(B, T, 6), leaf(6), eps),
		"linear": tape.Linear(x, leaf(C, C), nil, nil), "swiglu": tape.SwiGLU(leaf(B, T, 2*F), false),
	} {
		if v.Value.Precision != kernels.FP32 {
			t.Errorf("%s: in %v", name, v.Value.Precision)
		}
	}
}

// TestCopyInHalves: the copy of a gradient that products read is gone when something is added to the gradient after it was made.
func TestCopyInHalves(t *testing.T) {
	for _, later := range []bool{false, true} {
		tape, leaf, tensor := plan(t)
		tape.Precision = kernels.FP16
		y := tape.Linear(leaf(B, T, C), leaf(C, C), nil, nil)
		var r *Var
		if later {
			r = tape.SiLU(y) // whose backward kernels come after the norm's
		}
		z := tape.Linear(tape.RMSNorm(y, leaf(C), eps), leaf(C, C), nil, r)
		tape.Seed(z, tensor(B, T, C))
		tape.Backward()
		if kept := y.half.Shape != nil; kept == later {
			t.Errorf("a contribution after the norm's: %v, a copy in halves: %v", later, kept)
		}
	}
}
