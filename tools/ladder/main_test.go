// SPDX-License-Identifier: MIT

package main

import (
	"strings"
	"testing"
)

func TestInsert(t *testing.T) {
	r := report{Op: "matmul", Device: "D", Driver: "V1", Date: "2026-01-02", Commit: "abc",
		Shapes: []shape{{"8 x 8 x 8", []rung{{"00_naive", "fp32", 2}, {"01_tiled", "fp32", 5}, {"00_naive", "fp16", 10}}}}}
	const empty = "top\n\n<!-- ladder matmul: more -->\nbottom\n"
	once, err := insert(empty, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"D, V1, 2026-01-02, commit abc:", "| 01_tiled | fp32 | 5 | 50 % | 2.50 |\n", "| 00_naive | fp16 | 10 | 100 % |  |\n"} {
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

func TestShapes(t *testing.T) {
	if got, err := parseShapes("1x2x3,40x50x60"); err != nil || len(got) != 2 || got[1] != [3]int{40, 50, 60} {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "1x2", "1x2x0", "axbxc", "1x2x3x4", "1x2x3 5"} {
		if _, err := parseShapes(bad); err == nil {
			t.Errorf("%q is taken for a shape", bad)
		}
	}
}
