// SPDX-License-Identifier: MIT

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jitvk/kernels/measure"
)

func example() report {
	r := report{Op: "matmul", Device: "D", Driver: "V1", Date: "2026-01-02", Commit: "abc",
		Peaks: measure.Peaks{{Name: measure.FMA, Unit: "GFLOP/s", Rate: 20}, {Name: measure.Matrix, Unit: "GFLOP/s", Rate: 40}, {Name: measure.Copy, Unit: "GB/s", Rate: 3}},
		Shapes: []shape{{"tiny", "8 rows", []string{"forward"}, []rung{
			{Name: "00_naive", Operands: "fp32", Parts: []float64{2}, GFLOPs: 2}, {Name: "01_tiled", Operands: "fp32", Parts: []float64{5}, GFLOPs: 5},
			{Name: "00_naive", Operands: "fp16", Parts: []float64{10}, GFLOPs: 10}}}}}
	r.shares()
	return r
}

func TestInsert(t *testing.T) {
	r := example()
	const empty = "top\n\n<!-- ladder matmul: more -->\nbottom\n"
	once, err := insert(empty, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"D, V1, 2026-01-02, commit abc. Measured peaks: fp32 multiply-adds 20 GFLOP/s, fp16 matrix unit 40 GFLOP/s, copy 3 GB/s.\n",
		"| tiny: 8 rows | operands | forward |", "| 01_tiled | fp32 | 5 | 5 | 25 % | 2.50 |\n", "| 00_naive | fp16 | 10 | 10 | 25 % |  |\n"} {
		if !strings.Contains(once, want) {
			t.Errorf("%q is not in\n%s", want, once)
		}
	}
	if twice, err := insert(once, r); err != nil || twice != once {
		t.Errorf("a second run with the same numbers changes the page (%v):\n%s", err, twice)
	}
	other := r
	other.Driver = "V2"
	if both, err := insert(once, other); err != nil || !strings.Contains(both, "D, V1,") || !strings.Contains(both, "D, V2,") || !strings.HasSuffix(both, "bottom\n") {
		t.Errorf("another driver's table should stand beside the first (%v):\n%s", err, both)
	}
	for _, bad := range []string{"no place", strings.ReplaceAll(once, "<!-- end -->\n", "")} {
		if _, err := insert(bad, r); err == nil {
			t.Errorf("no error for\n%s", bad)
		}
	}
}

func TestKeep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ladder.json")
	read := func() string {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	a, b := example(), example()
	b.Driver, b.Date = "V2", "2026-01-03"
	for _, r := range []report{a, b, a} {
		if err := keep(file, r); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(); strings.Count(got, `"op"`) != 2 || !strings.Contains(got, "2026-01-03") {
		t.Errorf("two drivers' measurements, one of them twice, make\n%s", got)
	}
	if err := os.WriteFile(file, []byte("half a fi"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := keep(file, a); err == nil {
		t.Error("no error for a file that is not what keep writes")
	} else if read() != "half a fi" {
		t.Error("such a file is overwritten")
	}
}
