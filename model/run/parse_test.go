// SPDX-License-Identifier: MIT

package run

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jitvk/kernels/tune"
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
	for args, want := range map[string]int{"": 6, "-size 64": 7, "-size 64 -stride 4": 4, "-size 40 -patch 10": 6, "-size 8": 6,
		"-patch 1": 1} {
		if c, err := Parse(strings.Fields("-preset quick " + args)); err != nil || c.Model.Stride != want {
			t.Errorf("%q: stride %d, want %d; %v", args, c.Model.Stride, want, err)
		}
	}
}

// TestPresetThenFileThenFlags: each goes before what it follows, and what the user does not name follows from what he does.
func TestPresetThenFileThenFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run.toml")
	if err := os.WriteFile(file, []byte("preset = \"jit-b16\"\nbatch = 32\naccumulate = 2\nsize = 128\nwarmup = 7\nflip = false\n"),
		0o666); err != nil {
		t.Fatal(err)
	}
	got, err := Parse([]string{"-config", file, "-batch", "64", "-warmup", "9"})
	if err != nil {
		t.Fatal(err)
	}
	want, err := Preset("jit-b16")
	if err != nil {
		t.Fatal(err)
	}
	want.File, want.Tune, want.Batch, want.Accumulate, want.Warmup, want.Flip = file, tune.Auto, 64, 2, 9, false
	want.Steps, want.LR = 200*1281167/128, 5e-5*128/256 // which follow from 64 x 2 pictures a step
	want.Model.Size, want.Model.NoiseScale = 128, 0.5
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for text, says := range map[string]string{
		"presett = \"quick\"":           "no option presett; did you mean preset?",
		"preset = \"quik\"":             `no preset "quik"; did you mean quick?`,
		"preset = \"quick\"\nheads = 3": "-heads 3",
		"resume = \"/none\"\nlr = 1":    "leave out lr (in " + file + ")",
	} {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Parse([]string{"-config", file}); err == nil || !strings.Contains(err.Error(), says) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v does not say %q in one line", text, err, says)
		}
	}
}

// TestEveryOptionIsWritten: what a run was told is in its checkpoint, but for what changes no bit; that is in config.json, if it is
// the run's and not the machine's.
func TestEveryOptionIsWritten(t *testing.T) {
	c, err := Preset("quick")
	if err != nil {
		t.Fatal(err)
	}
	text, err := Meta{Config: c}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range options.Options {
		v := o.In(&c)
		switch v.Kind() {
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.Int:
			v.SetInt(v.Int() + 1)
		case reflect.Uint64:
			v.SetUint(v.Uint() + 1)
		case reflect.Float64:
			v.SetFloat(v.Float() + 1)
		case reflect.String:
			v.SetString(v.String() + "x")
		default:
			t.Fatalf("-%s: a field of type %v", o.Name, v.Type())
		}
		changed, err := Meta{Config: c}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		key, _, _ := strings.Cut(o.Tag.Get("json"), ",")
		written := key != "-" && o.Tag.Get("resume") != "free"
		if (changed["config"] != text["config"]) != written {
			t.Errorf("-%s: in the checkpoint %t, want %t", o.Name, !written, written)
		}
		text = changed
	}
}
