// SPDX-License-Identifier: MIT

package run

import (
	"strings"
	"testing"
)

func TestParseRefusesTheImpossible(t *testing.T) {
	for args, says := range map[string][]string{
		"-preset huge":                  {"huge", "blog256"},
		"-preset quick -stride 5":       {"-stride 5", "8"},
		"-preset quick -heads 3":        {"-heads 3", "1, 2, 4"},
		"-preset quick -batch 0":        {"-batch 0"},
		"-preset quick -steps -1":       {"-steps -1"},
		"-preset quick -lr 0":           {"-lr 0"},
		"-preset quick -lr NaN":         {"-lr NaN"},
		"-preset quick -ema 1":          {"-ema 1"},
		"-preset quick -size 35":        {"35"},
		"-preset quick -depth 99999999": {"-depth 99999999"},
		"-preset quick -dim 9999999999": {"-dim 9999999999"},
		"-preset blog256 -patch 3":      {"patches of 3", "do: 1"},
		"-preset quick -patch 99999999": {"-patch 99999999"},
		"-preset quick -batch many":     {"many", "-batch"},
		"-preset quick -unknown 1":      {"-unknown"},
		"-preset quick extra":           {"extra"},
		"-preset quick -batch 99999999": {"-batch 99999999"},
		"-preset quick -accumulate 0":   {"-accumulate 0", "1 and 65535"},
		"-preset quick -labels Smiling": {"-labels Smiling", "preset quick knows no classes", "jit"},
	} {
		_, err := Parse(strings.Fields(args))
		for _, s := range says {
			if err == nil || !strings.Contains(err.Error(), s) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v does not say %q in one line", args, err, s)
			}
		}
	}
	c, err := Parse([]string{"-preset", "quick", "-patch", "4", "-dim", "96", "-heads", "3"})
	if err != nil || c.Model.Stride != 4 || c.Model.Hidden%8 != 0 || c.Model.Hidden < 2*96 {
		t.Errorf("%+v, %v", c.Model, err)
	}
	for args, want := range map[string]int{"": 6, "-size 64": 7, "-size 64 -stride 4": 4, "-size 40 -patch 10": 6, "-size 8": 6, "-patch 1": 1} {
		if c, err := Parse(strings.Fields("-preset quick " + args)); err != nil || c.Model.Stride != want {
			t.Errorf("%q: stride %d, want %d; %v", args, c.Model.Stride, want, err)
		}
	}
}
