// SPDX-License-Identifier: MIT

package run

import (
	"bytes"
	"flag"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestParameterCounts(t *testing.T) {
	for name, want := range map[string]struct {
		parameters int
		gmacs      float64 // the paper's "Gflops"; the post names none
	}{"blog256": {114591040, 0}, "jit-b16": {131123712, 25.2}, "jit-b32": {133190400, 25.8}, "jit-l16": {458877664, 87.9},
		"jit-h16": {952514368, 181.9}} {
		c, err := Preset(name)
		if err != nil || c.Model.ParamCount() != want.parameters {
			t.Errorf("%s: %d parameters, want %d (%v)", name, c.Model.ParamCount(), want.parameters, err)
		}
		if g := c.Model.ForwardMACs() / 1e9; want.gmacs > 0 && math.Abs(g/want.gmacs-1) > 0.005 {
			t.Errorf("%s: %.2f GMAC, want %.1f", name, g, want.gmacs)
		}
	}
	blog, _ := Preset("blog256")
	c := blog.Model
	if c.Tokens() != 441 {
		t.Errorf("blog256: %d tokens, want 441", c.Tokens())
	}
	c.Norm = "rms" // the post's main text; torch_jit.py's blog256-rms
	if c.ParamCount() != 114591040-12*(4*1536-2*768-2*64) {
		t.Errorf("blog256 with RMSNorm: %d parameters", c.ParamCount())
	}
}

func TestPresetsAreValid(t *testing.T) {
	for _, name := range Presets() {
		c, err := Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Preset("huge"); err == nil || !strings.Contains(err.Error(), "blog256") {
		t.Errorf("an unknown preset: %v", err)
	}
}

// TestPaperTrainingFollowsTheBatch: epochs and warm-up are counted in pictures, whatever makes up a step.
func TestPaperTrainingFollowsTheBatch(t *testing.T) {
	for args, want := range map[string]Recipe{
		"-batch 128":                {Steps: 2001823, Warmup: 50045, LR: 2.5e-5},
		"-batch 128 -accumulate 8":  {Steps: 250227, Warmup: 6255, LR: 2e-4},
		"-batch 1024 -warmup 7":     {Steps: 250227, Warmup: 7, LR: 2e-4},
		"-batch 32 -steps 9 -lr .1": {Steps: 9, Warmup: 200182, LR: 0.1},
	} {
		c, err := Parse(append(strings.Fields(args), "-preset", "jit-b16"))
		if err != nil {
			t.Fatal(err)
		}
		if c.Steps != want.Steps || c.Warmup != want.Warmup || math.Abs(c.LR/want.LR-1) > 1e-12 {
			t.Errorf("%s: %d steps, warm-up %d, learning rate %g; want %d, %d, %g", args, c.Steps, c.Warmup, c.LR, want.Steps, want.Warmup,
				want.LR)
		}
	}
}

var update = flag.Bool("update", false, "rewrite README's table of presets")

// TestReadmeListsThePresets: README's table is what the presets' rows say.
func TestReadmeListsThePresets(t *testing.T) {
	const path = "../../README.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	table := regexp.MustCompile(`(?m)^\| preset \|.*\n(\|.*\n)*`)
	if len(table.FindAll(text, -1)) != 1 {
		t.Fatal("README.md has not one table of presets")
	}
	want := table.ReplaceAllLiteral(text, []byte(Table()))
	if bytes.Equal(text, want) {
		return
	}
	if !*update {
		t.Fatalf("README.md lists other presets than presets.go: `go test ./model/run -update` rewrites the table to\n%s", Table())
	}
	if err := os.WriteFile(path, want, 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestRowsAreWhole: a row says all that the table and training need, and Preset gives what its row says.
func TestRowsAreWhole(t *testing.T) {
	for _, p := range presets {
		c, err := Preset(p.name)
		if err != nil || c.Validate() != nil || p.use == "" || c.Model.Preset != p.name || c.Accumulate != 1 {
			t.Errorf("%s: %q, %+v, %v, %v", p.name, p.use, c, err, c.Validate())
		}
	}
}
