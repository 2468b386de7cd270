// SPDX-License-Identifier: MIT

package cli

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type span struct{ low, high string }

func (s *span) String() string { return s.low + "," + s.high }
func (s *span) Set(text string) (err error) {
	var ok bool
	if s.low, s.high, ok = strings.Cut(text, ","); !ok {
		err = errors.New("low,high")
	}
	return err
}

type inner struct {
	Dim  int    `json:"dim" help:"width"`
	Norm string `json:"norm" of:"rms,derf" help:"of blocks"`
	Deep int    `json:"deep"` // no option
}

// A config has an option of every kind.
type config struct {
	File  string `json:"-" name:"config" help:"options"`
	Model inner  `json:"model"`
	inner2
	Rate    float64   `json:"learn_rate,omitempty" help:"rate"`
	Seed    uint64    `json:"seed" help:"seed"`
	Flip    bool      `json:"flip" help:"mirror"`
	Dry     bool      `json:"-" name:"dry-run" help:"only look"`
	Classes []string  `json:"-" name:"class" help:"class; repeat it"`
	Weights []float64 `json:"-" name:"weights" help:"weights"`
	Span    span      `json:"-" name:"span" help:"low,high"`
}

type inner2 struct {
	Batch int `json:"batch" help:"pictures"`
}

var described = Describe("test", config{})

// preset is what the program sets by itself.
func preset() config {
	return config{Model: inner{Dim: 8, Norm: "rms", Deep: 3}, inner2: inner2{Batch: 2}, Flip: true, Weights: []float64{1},
		Classes: []string{"none"}, Span: span{"0", "1"}}
}

// write puts a file of options into a folder of its own.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run.toml")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOptions: the same words on the command line and in a file make the same settings; the command line goes before the file, and
// that before the preset.
func TestOptions(t *testing.T) {
	var names []string
	for _, o := range described.Options {
		names = append(names, o.Name)
	}
	if want := "config dim norm batch learn-rate seed flip dry-run class weights span"; strings.Join(names, " ") != want {
		t.Fatalf("options %v, want %s", names, want)
	}
	want := preset()
	want.Model.Dim, want.Model.Norm, want.Batch, want.Rate, want.Seed, want.Flip, want.Dry = 16, "derf", 4, 2e-3, 1<<63, false, true
	want.Classes, want.Weights, want.Span = []string{"a", "b,c"}, []float64{1, 2.5}, span{"2", "3"}
	line := strings.Fields("-dim 16 -norm derf -batch 4 -learn-rate 2e-3 -seed 9223372036854775808 -flip=false -dry-run -class a -class " +
		"b,c -weights 1,2.5 -span 2,3")
	file := write(t, `# all of it
dim = 16
norm = "derf"
batch = 4
learn-rate = 2e-3
seed = "9223372036854775808"
flip = false
dry-run = true
class = ["a", "b,c"]
weights = [1, 2.5]
span = [2, 3]
`)
	other := append([]string{"-config", write(t, "dim = 9\nclass = [\"x\", \"y\"]\nflip = true")}, line...)
	for name, args := range map[string][]string{"the command line": line, "a file": {"-config", file}, "both": other} {
		settings, err := described.Parse(args)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for range 2 { // a list does not grow
			got := preset()
			settings.Apply(&got)
			settings.Apply(&got)
			got.File = ""
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(config{}, inner2{}, span{})); diff != "" {
				t.Errorf("%s: -want +got:\n%s", name, diff)
			}
		}
	}
	settings, err := described.Parse([]string{"-config", file, "-dim", "9"})
	if text, ok := settings.Value("dim"); err != nil || text != "9" || !ok || !settings.Has("seed", "x") || settings.Has("x", "config2") {
		t.Errorf("%v, %v", settings, err)
	}
	if i := slices.IndexFunc(settings, func(s Setting) bool { return s.Option.Name == "seed" }); settings[i].String() != "seed (in "+
		""+file+")" {
		t.Errorf("a file's setting is called %v", settings[i])
	}
}

// TestBadOptions: each error is a line that names the option and what it could be.
func TestBadOptions(t *testing.T) {
	for args, says := range map[string]string{
		"-bacth 3":      "did you mean -batch?",
		"-xyz 3":        "not defined: -xyz (",
		"-norm dref":    "test: -norm dref: it is rms or derf; did you mean derf?",
		"-norm x":       "it is rms or derf (",
		"-batch many":   "-batch many: a whole number is wanted",
		"-batch 1.5":    "a whole number is wanted",
		"-seed -1":      "-seed -1: a whole number from 0 on",
		"-learn-rate x": "a number is wanted",

		"-batch 9223372036854775808": "-batch 9223372036854775808: the number is too large",
		"-seed 18446744073709551616": "the number is too large",
		"-learn-rate 1e400":          "the number is too large",
		"-config /dev/zero":          "-config /dev/zero: it is longer than",

		"-weights 1,":    `-weights 1,: "" is not a number`,
		"-flip=3":        "-flip 3: it is true or false",
		"-span 3":        "-span 3: low,high",
		"-batch 3 4":     `unexpected argument "4"`,
		"-config /none":  "-config /none: open /none",
		"-config F -dim": "-dim",
	} {
		_, err := described.Parse(strings.Fields(args))
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") ||
			!strings.HasPrefix(err.Error(), "test: ") {
			t.Errorf("%s: %v does not say %q in one line", args, err, says)
		}
	}
	for text, says := range map[string]string{
		"batsh = 3":            "there is no option batsh; did you mean batch?",
		"learn_rate = 1":       "there is no option learn_rate; did you mean learn-rate?",
		"[model]\ndim = 3":     "[model] is a table",
		"[[model]]\ndim = 3":   "[model] is a table",
		"config = \"other\"":   "there is no option config",
		"norm = \"drf\"":       "norm = drf: it is rms or derf; did you mean derf?",
		"batch = 1.5":          "batch = 1.5: a whole number",
		"batch = [1, 2]":       "batch = 1,2: a whole number",
		"[batch]\nx = 1":       "[batch] is a table: options stand in none",
		"batch = 2026-01-01":   "batch: a number, a text in quotes",
		"batch = 1\nbatch = 2": "line 2",
		"batch =":              `last key "batch"`,
	} {
		_, err := described.Parse([]string{"-config", write(t, text)})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") ||
			!strings.Contains(err.Error(), "run.toml") {
			t.Errorf("%q: %v does not say %q in one line", text, err, says)
		}
	}
}

// TestHelp: every option has its line, with the value that the configuration has.
func TestHelp(t *testing.T) {
	settings, err := described.Parse(strings.Fields("-batch 5 -help"))
	if !errors.Is(err, flag.ErrHelp) {
		t.Fatal(err)
	}
	c := preset()
	settings.Apply(&c)
	var out strings.Builder
	described.Help(&out, &c)
	for _, line := range []string{"usage: go run ./test [options]\n", "  -dim 8\n        width\n",
		"  -norm rms\n        of blocks (rms or derf)\n", "  -batch 5\n", "  -flip=true\n", "  -dry-run\n",
		"  -class none\n", "  -config TEXT\n", "  -learn-rate NUMBER\n", "  -span 0,1\n", "  -weights 1\n"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in\n%s", line, &out)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"batch", "steps", "ema", "ema2", "precision", "dry-run"}
	for word, want := range map[string]string{"bacth": "batch", "batc": "batch", "Steps": "steps", "emma": "ema", "dryrun": "dry-run",
		"percison": "precision", "lr": "", "": "", "xyz": ""} {
		if got, ok := Nearest(word, names); got != want || ok != (want != "") {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
