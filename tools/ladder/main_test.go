// SPDX-License-Identifier: MIT

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jitvk/kernels/measure"
	"jitvk/tools/internal/page"
)

func example() report {
	r := report{Op: "matmul", Source: page.Source{Device: "D", Driver: "V1", Date: "2026-01-02", Commit: "abc"},
		Peaks: measure.Peaks{{Name: measure.FMA, Unit: "GFLOP/s", Rate: 20}, {Name: measure.Matrix, Unit: "GFLOP/s", Rate: 40},
			{Name: measure.Copy, Unit: "GB/s", Rate: 3}},
		Shapes: []shape{{"tiny", "8 rows", []string{"forward"}, []rung{
			{Name: "00_naive", Operands: "fp32", Parts: []float64{2}, GFLOPs: 2},
			{Name: "01_tiled", Operands: "fp32", Parts: []float64{5}, GFLOPs: 5},
			{Name: "00_naive", Operands: "fp16", Parts: []float64{10}, GFLOPs: 10}}}}}
	r.shares()
	return r
}

// TestDocument: a page gets a driver's table, keeps it when a second one comes, and changes by nothing when nothing is new.
func TestDocument(t *testing.T) {
	file := filepath.Join(t.TempDir(), "matmul.md")
	if err := os.WriteFile(file, []byte("top\n\n<!-- ladder matmul: more -->\nbottom\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	write := func(driver string) string {
		t.Helper()
		r := example()
		r.Driver = driver
		if err := document(file, r); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	once := write("V1")
	for _, want := range []string{
		"D, V1, 2026-01-02, commit abc. Measured peaks: fp32 multiply-adds 20 GFLOP/s, fp16 matrix unit 40 GFLOP/s, copy 3 GB/s.\n",
		"| tiny: 8 rows | operands | forward | together, GFLOP/s | share of the peak | times the rung below |\n| --- | --- | ---: |",
		"| 01_tiled | fp32 | 5 | 5 | 25 % | 2.50 |\n", "| 00_naive | fp16 | 10 | 10 | 25 % | |\n",
	} {
		if !strings.Contains(once, want) {
			t.Errorf("%q is not in\n%s", want, once)
		}
	}
	if twice := write("V1"); twice != once {
		t.Errorf("a second run with the same numbers changes the page:\n%s", twice)
	}
	if both := write("V2"); !strings.Contains(both, "D, V1,") || !strings.Contains(both, "D, V2,") || !strings.HasSuffix(both, "bottom\n") {
		t.Errorf("another driver's table should stand beside the first:\n%s", both)
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
