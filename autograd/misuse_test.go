// SPDX-License-Identifier: MIT

package autograd

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"jitvk/kernels"
)

// A call is an op with inputs that fit.
type call struct {
	op       string
	shapes   [][]int
	optional int    // that many of the last inputs may be nil
	loose    string // the dimensions that may be others by themselves, as "input.dimension"
	do       func(t *Tape, in []*Var, tensor func(shape ...int) kernels.Tensor) *Var
}

func calls() []call {
	type tensors = func(shape ...int) kernels.Tensor
	rows, heads, image := []int{B, T, C}, []int{B, T, H, D}, []int{B, 3, size, size}
	fold := kernels.FoldOptions{Patch: patch, Stride: stride}
	return []call{
		{"linear", [][]int{rows, {7, C}, {7}, {B, T, 7}}, 2, "",
			func(t *Tape, in []*Var, _ tensors) *Var { return t.Linear(in[0], in[1], in[2], in[3]) }},
		{"swiglu mlp", [][]int{rows, {2 * F, C}, {C, F}, {2 * F}, {C}, rows}, 3, "",
			func(t *Tape, in []*Var, _ tensors) *Var {
				return t.SwiGLUMLP(in[0], in[1], in[3], in[2], in[4], in[5], false)
			}},
		{"swiglu", [][]int{{B, T, 2 * F}}, 0, "0.0 0.1", func(t *Tape, in []*Var, _ tensors) *Var { return t.SwiGLU(in[0], true) }},
		{"silu", [][]int{rows}, 0, "0.0 0.1 0.2", func(t *Tape, in []*Var, _ tensors) *Var { return t.SiLU(in[0]) }},
		{"attention", [][]int{heads, heads, heads}, 0, "",
			func(t *Tape, in []*Var, _ tensors) *Var { return t.Attention(in[0], in[1], in[2]) }},
		{"rmsnorm", [][]int{rows, {C}}, 0, "0.0 0.1",
			func(t *Tape, in []*Var, _ tensors) *Var { return t.RMSNorm(in[0], in[1], eps) }},
		{"derf", [][]int{rows, {C}, {C}}, 0, "0.0 0.1",
			func(t *Tape, in []*Var, _ tensors) *Var { return t.Derf(in[0], in[1], in[2]) }},
		{"normmodulate", [][]int{rows, {C}, {B, C}, {B, C}}, 0, "0.1",
			func(t *Tape, in []*Var, _ tensors) *Var { return t.NormModulate(in[0], in[1], in[2], in[3], eps) }},
		{"normrope", [][]int{heads, {D}}, 0, "0.0 0.2",
			func(t *Tape, in []*Var, f tensors) *Var {
				return t.NormRoPE(in[0], in[1], f(T, D/2), f(T, D/2), eps, false)
			}},
		{"derfrope", [][]int{heads, {C}, {C}}, 0, "0.0",
			func(t *Tape, in []*Var, f tensors) *Var {
				return t.DerfRoPE(in[0], in[1], in[2], f(T, D/2), f(T, D/2), false)
			}},
		{"gate", [][]int{rows, rows, {B, C}}, 0, "",
			func(t *Tape, in []*Var, _ tensors) *Var { return t.Gate(in[0], in[1], in[2]) }},
		{"concat time", [][]int{rows, {B, 3}}, 0, "0.1 0.2 1.1",
			func(t *Tape, in []*Var, _ tensors) *Var { return t.ConcatTime(in[0], in[1]) }},
		{"time embedding", [][]int{{B}}, 0, "0.0",
			func(t *Tape, in []*Var, _ tensors) *Var {
				return t.TimeEmbedding(in[0], 8, kernels.TimeEmbeddingOptions{Scale: 1000})
			}},
		{"embed", [][]int{{4, C}}, 0, "0.0 0.1", func(t *Tape, in []*Var, f tensors) *Var { return t.Embed(in[0], f(B)) }},
		{"prepend tokens", [][]int{rows, {B, C}, {3, C}}, 0, "0.1 2.0",
			func(t *Tape, in []*Var, _ tensors) *Var { return t.PrependTokens(in[0], in[1], in[2]) }},
		{"drop tokens", [][]int{rows}, 0, "0.0 0.1 0.2",
			func(t *Tape, in []*Var, _ tensors) *Var { return t.DropTokens(in[0], 2) }},
		{"add rows", [][]int{rows}, 0, "0.0", func(t *Tape, in []*Var, f tensors) *Var { return t.AddRows(in[0], f(T, C)) }},
		{"dropout", [][]int{rows}, 0, "0.0 0.1 0.2",
			func(t *Tape, in []*Var, f tensors) *Var { return t.Dropout(in[0], f(kernels.StepBytes/4), 0.5, 0) }},
		{"unfold", [][]int{image}, 0, "0.0", func(t *Tape, in []*Var, _ tensors) *Var { return t.Unfold(in[0], fold) }},
		{"fold", [][]int{{B, tokens, patchDim}}, 0, "0.0",
			func(t *Tape, in []*Var, _ tensors) *Var { return t.Fold(in[0], size, size, fold) }},
		{"heads", [][]int{{B, T, 3 * C}}, 0, "0.0 0.1",
			func(t *Tape, in []*Var, _ tensors) *Var { return t.Heads(in[0], 3, H)[0] }},
		{"parts", [][]int{{B, 3 * C}}, 0, "0.0", func(t *Tape, in []*Var, _ tensors) *Var { return t.Parts(in[0], 3)[0] }},
		{"reshape", [][]int{rows}, 0, "", func(t *Tape, in []*Var, _ tensors) *Var { return t.Reshape(in[0], B*T, C) }},
	}
}

// TestWrongCalls makes each input of each op wrong in every way that it can be: nil, of another tape, one dimension longer, on a tape
// that is done. Each must panic and say which input, or which two numbers, do not fit.
func TestWrongCalls(t *testing.T) {
	for _, c := range calls() {
		try := func(wrong, want string, spoil func(tape *Tape, in []*Var, leaf func(...int) *Var)) {
			tape, leaf, tensor := plan(t)
			var in []*Var
			for _, s := range c.shapes {
				in = append(in, leaf(s...))
			}
			spoil(tape, in, leaf)
			checkPanic(t, c.op+", "+wrong, want, func() { c.do(tape, in, tensor) })
		}
		try("as it should be", "", func(*Tape, []*Var, func(...int) *Var) {})
		try("after Backward", "Backward has run", func(tape *Tape, _ []*Var, leaf func(...int) *Var) {
			y := tape.SiLU(leaf(4))
			tape.Seed(y, leaf(4).Value)
			tape.Backward()
		})
		for i, shape := range c.shapes {
			put := func(other ...int) func(*Tape, []*Var, func(...int) *Var) {
				return func(_ *Tape, in []*Var, leaf func(...int) *Var) { in[i] = leaf(other...) }
			}
			if i < len(c.shapes)-c.optional {
				try(fmt.Sprintf("input %d nil", i), `nil`, func(_ *Tape, in []*Var, _ func(...int) *Var) { in[i] = nil })
			}
			try(fmt.Sprintf("input %d of another tape", i), `leaf\(.*another tape`, func(_ *Tape, in []*Var, _ func(...int) *Var) {
				_, leaf, _ := plan(t)
				in[i] = leaf(shape...)
			})
			try(fmt.Sprintf("input %d with a dimension less", i), "maybe", put(shape[1:]...))
			try(fmt.Sprintf("input %d with a dimension more", i), "maybe", put(append([]int{1}, shape...)...))
			for d := range shape {
				longer := slices.Clone(shape)
				longer[d]++
				want := shapes
				if strings.Contains(c.loose, fmt.Sprintf("%d.%d", i, d)) {
					want = ""
				}
				try(fmt.Sprintf("input %d %v", i, longer), want, put(longer...))
			}
		}
	}
}

// shapes is a message that shows shapes: (2,5,16), and what else there was.
const shapes = `(\(.*\d|\d.*\()`

// checkPanic fails the test unless f panics with a message of this project that matches want. With want "" f must not panic; with
// "maybe" it may, with shapes: some ops take the rows of any tensor.
func checkPanic(t *testing.T, what, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		got := recover()
		if want == "" && got == nil || want == "maybe" && got == nil {
			return
		}
		if want == "maybe" {
			want = shapes
		}
		message, _ := got.(string)
		if want == "" || !regexp.MustCompile(`^(autograd: |[a-z]+/[a-z_]+\.go:\d+: kernels: ).*`+want).MatchString(message) {
			t.Errorf("%s: panic %v, wanted %q", what, got, want)
		}
	}()
	f()
}

// TestMisuse: what is wrong with a tape as a whole, or shows only in the backward pass.
func TestMisuse(t *testing.T) {
	type leaves = func(shape ...int) *Var
	type tensors = func(shape ...int) kernels.Tensor
	for name, c := range map[string]struct {
		want string
		do   func(t *Tape, leaf leaves, tensor tensors)
	}{
		"Backward without a seed": {"none of 1 ops", func(t *Tape, leaf leaves, _ tensors) { t.SiLU(leaf(4)); t.Backward() }},
		"Backward twice": {"Backward has run", func(t *Tape, leaf leaves, tensor tensors) {
			t.Seed(t.SiLU(leaf(4)), tensor(4))
			t.Backward()
			t.Backward()
		}},
		"Seed twice": {`\(4\) for silu\(4\)`, func(t *Tape, leaf leaves, tensor tensors) {
			y := t.SiLU(leaf(4))
			t.Seed(y, tensor(4))
			t.Seed(y, tensor(4))
		}},
		"Seed of another shape": {`\(2,2\) for silu\(4\)`, func(t *Tape, leaf leaves, tensor tensors) {
			t.Seed(t.SiLU(leaf(4)), tensor(2, 2))
		}},
		"Seed where no gradient is needed": {`for silu\(4\)`, func(t *Tape, _ leaves, tensor tensors) {
			t.Seed(t.SiLU(t.Const(tensor(4))), tensor(4))
		}},
		"Seed of another tape's": {"another tape", func(t *Tape, leaf leaves, tensor tensors) {
			New(t.P).Seed(t.SiLU(leaf(4)), tensor(4))
		}},
		"a gradient before Backward": {`leaf\(4\) has none`, func(t *Tape, leaf leaves, tensor tensors) {
			x := leaf(4)
			t.Seed(t.SiLU(x), tensor(4))
			x.Grad()
		}},
		"a gradient of a constant": {`const\(4\) has none`, func(t *Tape, leaf leaves, tensor tensors) {
			x, y := t.Const(tensor(4)), leaf(B, 4, 4)
			t.Seed(t.Gate(y, y, t.Const(tensor(B, 4))), tensor(B, 4, 4))
			t.Backward()
			x.Grad()
		}},
		"a gradient of what the loss does not depend on": {`leaf\(5\) has none`, func(t *Tape, leaf leaves, tensor tensors) {
			x := leaf(5)
			t.SiLU(x)
			t.Seed(t.SiLU(leaf(4)), tensor(4))
			t.Backward()
			x.Grad()
		}},
		"a parameter's gradient of another shape": {`w\(4,2\) with a gradient \(2,4\)`, func(t *Tape, _ leaves, tensor tensors) {
			t.Param("w", tensor(4, 2), tensor(2, 4))
		}},
		"an op that gives its gradient twice": {`add\(4\) has none`, func(t *Tape, leaf leaves, tensor tensors) {
			a, b := leaf(4), leaf(4)
			y := t.out("add", []*Var{a, b}, 4)
			kernels.Add(t.P, y.Value, a.Value, b.Value)
			t.push(y, []*Var{a, b}, func() { t.give(a, y); t.give(b, y) })
			t.Seed(y, tensor(4))
			t.Backward()
		}},
		"an op that reads its gradient after giving it": {`\(\)`, func(t *Tape, leaf leaves, tensor tensors) {
			a, b := leaf(4), leaf(4)
			y := t.out("add", []*Var{a, b}, 4)
			kernels.Add(t.P, y.Value, a.Value, b.Value)
			t.push(y, []*Var{a, b}, func() {
				t.give(a, y)
				db, _ := t.into(b)
				kernels.SiLUBackward(t.P, db, y.grad, b.Value, false)
			})
			t.Seed(y, tensor(4))
			t.Backward()
		}},
		"use after Heads": {`leaf\(2,5,16\) was cut by heads`, func(t *Tape, leaf leaves, _ tensors) {
			x := leaf(B, T, C)
			t.Heads(x, 1, H)
			t.SiLU(x)
		}},
		"Heads of no head": {"into 0 times 2", func(t *Tape, leaf leaves, _ tensors) { t.Heads(leaf(B, T, C), 0, H) }},
		"a part of Heads unused": {"only 1 of 2 parts", func(t *Tape, leaf leaves, tensor tensors) {
			h := t.Heads(leaf(B, T, 2*C), 2, H)
			w := t.Param("w", tensor(D), tensor(D))
			t.Seed(t.RMSNorm(h[0], w, eps), tensor(B, T, H, D))
			t.Backward()
		}},
		"a part of Parts unused": {"only 1 of 2 parts", func(t *Tape, leaf leaves, tensor tensors) {
			x := leaf(B, T, C)
			t.Seed(t.Gate(x, x, t.Parts(leaf(B, 2*C), 2)[0]), tensor(B, T, C))
			t.Backward()
		}},
		"Parts that do not divide": {`\(2,7\) into 2`, func(t *Tape, leaf leaves, _ tensors) { t.Parts(leaf(B, 7), 2) }},
		"Unfold by nothing": {"patches of 4, 0 apart", func(t *Tape, leaf leaves, _ tensors) {
			t.Unfold(leaf(B, 3, size, size), kernels.FoldOptions{Patch: patch})
		}},
		"more tokens dropped than there are": {`5 of the tokens of leaf\(2,5,16\)`, func(t *Tape, leaf leaves, _ tensors) {
			t.DropTokens(leaf(B, T, C), T)
		}},
		"attention of one thing with itself": {`leaf\(2,5,2,8\) has another use`, func(t *Tape, leaf leaves, tensor tensors) {
			x := leaf(B, T, H, D)
			t.Seed(t.Attention(x, x, x), tensor(B, T, H, D))
			t.Backward()
		}},
		"normmodulate with scale used elsewhere": {`leaf\(2,16\) and leaf\(2,16\)`, func(t *Tape, leaf leaves, tensor tensors) {
			x, w, scale := leaf(B, T, C), leaf(C), leaf(B, C)
			y := t.NormModulate(x, w, scale, leaf(B, C), eps)
			t.Seed(t.NormModulate(y, w, scale, leaf(B, C), eps), tensor(B, T, C))
			t.Backward()
		}},
		"derfrope with alpha used elsewhere": {`leaf\(16\) and leaf\(16\)`, func(t *Tape, leaf leaves, tensor tensors) {
			x, alpha, table := leaf(B, T, H, D), leaf(C), tensor(T, D/2)
			y := t.DerfRoPE(x, alpha, leaf(C), table, table, false)
			t.Seed(t.DerfRoPE(y, alpha, leaf(C), table, table, false), tensor(B, T, H, D))
			t.Backward()
		}},
		"derf with alpha used elsewhere": {`leaf\(16\) and leaf\(16\)`, func(t *Tape, leaf leaves, tensor tensors) {
			x, alpha := leaf(B, T, C), leaf(C)
			y := t.Derf(x, alpha, leaf(C))
			t.Seed(t.Derf(y, alpha, leaf(C)), tensor(B, T, C))
			t.Backward()
		}},
		"an inner Var of a checkpointed block": {`silu\(4\) was made inside a checkpointed block`, func(t *Tape, leaf leaves, _ tensors) {
			var inner *Var
			t.Checkpoint(func() *Var { inner = t.SiLU(leaf(4)); return t.SiLU(inner) })
			t.SiLU(inner)
		}},
		"a checkpointed block without a result": {"returned <nil>", func(t *Tape, _ leaves, _ tensors) {
			t.Checkpoint(func() *Var {
				return nil
			})
		}},
		"a checkpointed block that returns a part": {`returned leaf\[0\]\(2,8`, func(t *Tape, leaf leaves, _ tensors) {
			t.Checkpoint(func() *Var { return t.Parts(leaf(B, C), 2)[0] })
		}},
		"a checkpointed block with the loss": {"seeded a gradient is true", func(t *Tape, leaf leaves, tensor tensors) {
			t.Checkpoint(func() *Var { y := t.SiLU(leaf(4)); t.Seed(y, tensor(4)); return y })
		}},
	} {
		tape, leaf, tensor := plan(t)
		checkPanic(t, name, c.want, func() { c.do(tape, leaf, tensor) })
	}
}
