// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"slices"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
)

// TestClassSize: sizes are rounded up by at most an eighth, never beyond the bound, and a rounded one stays as it is, so that
// the work that stands for a class is of that class.
func TestClassSize(t *testing.T) {
	for n := 1; n < 20000; n++ {
		r := kernels.ClassSize(n)
		if r > kernels.MaxClassSize || r < min(n, kernels.MaxClassSize) || 8*r > 9*n+7 || kernels.ClassSize(r) != r {
			t.Fatalf("%d is rounded to %d, that to %d", n, r, kernels.ClassSize(r))
		}
	}
}

func TestClassNames(t *testing.T) {
	for _, c := range []kernels.Class{
		{"matmul", kernels.FP32, "nt", [4]int{1, 832, 384, 128}},
		{"swiglu", kernels.FP16, "nNh", [4]int{3, 8192, 1, 7}},
		{"attention", kernels.BF16, "backward", [4]int{32, 25, 2, 64}},
	} {
		if got, err := kernels.ParseClass(c.String()); err != nil || got != c {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	for _, name := range []string{"", "matmul", "matmul fp32 nt 1x2x3", "matmul fp64 nt 1x2x3x4", "matmul fp32 nt 1x2x3x0",
		"matmul fp32 nt 1x2x3x4 5", "matmul fp32 nt 1x2x3x-4"} {
		if c, err := kernels.ParseClass(name); err == nil {
			t.Errorf("%q is taken for %v", name, c)
		}
	}
}

// TestPreferredChoices: products and attention ask the device for each of their classes, are given what it prefers, and guess
// where it knows nothing or something that there is not.
func TestPreferredChoices(t *testing.T) {
	d, err := engine.Open(engine.Options{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string][]string{}
	second := func(class string, choices []string) int {
		asked[class] = choices
		return len(choices) - 1
	}
	shape := kernels.NewMatMulShape(1, 800, 384, 128)
	o := kernels.MatMulOptions{Precision: kernels.FP16}
	if got, choices := kernels.ChooseMatMulBy(tensorInfo, shape, o, second),
		asked["matmul fp16 nn 1x832x384x128"]; len(choices) < 2 || fmt.Sprint(got) != choices[len(choices)-1] {
		t.Errorf("%v of %v", got, asked)
	}
	info := tensorInfo
	info.CoopMat = append(slices.Clone(units16), engine.CoopMat{M: 16, N: 16, K: 16, A: "f16", B: "f16", C: "f16", R: "f16"})
	if got := kernels.ChooseAttentionBy(info, [4]int{33, 25, 2, 64}, kernels.FP16, "forward", second); got != "attention/02_shared" ||
		!slices.Equal(asked["attention fp16 forward 36x25x2x64"], []string{
			"attention/04_pipelined 16x16x16 by 4, tiles of 32, turned", "attention/04_pipelined 16x16x16 by 4, tiles of 32",
			"attention/02_shared"}) {
		t.Errorf("%s of %v", got, asked)
	}
	clear(asked)
	o.Rung = "matmul/03_vector"
	if got := kernels.ChooseMatMulBy(tensorInfo, shape, o, second); got.Rung != o.Rung || len(asked) > 0 {
		t.Errorf("a rung that is asked for: %v, asked %v", got, asked)
	}
	p := engine.NewProgram(d, t.Name())
	choices := []string{"guess", "other"}
	d.Prefer(engine.Choices{"a": "other", "b": "none such"})
	if a, b, c := p.Choose("a", choices), p.Choose("b", choices),
		p.Choose("c", choices); a != 1 || b != 0 || c != 0 || p.Choose("one", choices[:1]) != 0 {
		t.Errorf("choices %d, %d and %d", a, b, c)
	}
	p.Choose("c", choices)
	if got := fmt.Sprint(d.Guessed()); got != "[{b [guess other] 1} {c [guess other] 2}]" {
		t.Errorf("guessed: %s", got)
	}
	if got := fmt.Sprint(d.Chosen()); got != "map[a:other b:guess c:guess]" {
		t.Errorf("chosen: %s", got)
	}
}
