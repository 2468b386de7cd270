// SPDX-License-Identifier: MIT

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRepository runs the quick checks on this repository; make check runs all.
func TestRepository(t *testing.T) {
	r, err := open(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range rules {
		if !rule.quick {
			continue
		}
		for _, f := range rule.run(r) {
			if !strings.HasPrefix(f, note) {
				t.Errorf("%s: %s", rule.name, f)
			}
		}
	}
}

// goodShader passes every check in the folder that plant makes.
const goodShader = `// SPDX-License-Identifier: MIT
// Sum: adds the rows.
// Computes: y = sum x
// Shapes, Push: see sum.glsl
// Spec:     0 LOCAL
// Dispatch: one workgroup
// Precision: fp32
// CPU:      kernels/ref/sum.go Sum
// Backward: none
#version 450
#extension GL_GOOGLE_include_directive : require
#include "sum.glsl"
layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0, std430) buffer Y { float y[]; };
layout(push_constant) uniform Push { uint rows; float scale; vec2 pair[2]; };
layout(constant_id = 1) const bool ACC = false;
const uint WIDE = 128;
shared float s[WIDE];
void main() {
    s[0] = 1.0e-5 + 255.0;
    // s is written by all before any reads it.
    memoryBarrierShared();
    barrier();
}
`

const goodWrapper = `// SPDX-License-Identifier: MIT

// Package kernels is a stand-in.
package kernels

import "jitvk/engine"

// Sum adds.
func Sum(p *engine.Program, y int) {
	record(p, "sum", struct {
		Rows  uint32
		Scale float32
		Pair  [2][2]float32
	}{})
}

func record(p *engine.Program, shader string, push any) {}
`

const goodReadme = `# Title
See [the shader](shaders/sum.comp), ` + "`kernels/sum.go`, `sum.glsl`, `runs/001-quick/log.csv` and `log.csv`; " +
	"run `make test` or `go test ./kernels/...`." + `

    make test ARGS="-run Nothing"   # and not make anything
    go run ./tools/x -flag ./not-a-package

<!-- figure: make test -->
`

// plant writes a small healthy repository with the changes given, a file's "" removing it.
func plant(t *testing.T, changes map[string]string) *repo {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":           "module jitvk\n\ngo 1.24\n",
		"Makefile":         "# " + spdxLine + "\nGO := go\ntest: setup\n\t$(GO) test\nsetup:\n",
		"README.md":        goodReadme,
		"run.sh":           "#!/bin/sh\n# " + spdxLine + "\n",
		"shaders/sum.comp": goodShader,
		"shaders/sum.glsl": "// " + spdxLine + "\n",
		"engine/engine.go": "// " + spdxLine +
			"\n\n// Package engine is a stand-in.\npackage engine\n\n// Program is one.\ntype Program struct{}\n",
		"kernels/sum.go":            goodWrapper,
		"kernels/sum_test.go":       "// " + spdxLine + "\n\npackage kernels\n\nvar _ = Sum\n",
		"kernels/ref/sum.go":        "// " + spdxLine + "\n\n// Package ref is a stand-in.\npackage ref\n\nfunc Sum() {}\n",
		"kernels/kerneltest/k.go":   "// " + spdxLine + "\n\n// Package kerneltest is a stand-in.\npackage kerneltest\n",
		"tools/x/main.go":           "// " + spdxLine + "\n\n// Command x is a stand-in.\npackage main\n\nfunc main() {}\n",
		"runs/ignored.sh":           "not licensed, and git ignores it\n",
		"kernels/testdata/notes.md": "`kernels/gone.go`\n",
	}
	for name, text := range changes {
		files[name] = text
	}
	for name, text := range files {
		if text == "" {
			continue
		}
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	r, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHealthy(t *testing.T) {
	r := plant(t, nil)
	for _, rule := range rules {
		switch rule.name {
		case "manifest", "vet", "staticcheck", "pure": // these have tests of their own, or are others' programs
			continue
		}
		if found := rule.run(r); len(found) > 0 {
			t.Errorf("%s finds fault with a healthy repository: %q", rule.name, found)
		}
	}
}

// TestFaults plants one fault at a time; the rule must name its file, line and kind.
func TestFaults(t *testing.T) {
	shader := func(old, new string) map[string]string {
		if !strings.Contains(goodShader, old) {
			t.Fatalf("goodShader has no %q", old)
		}
		return map[string]string{"shaders/sum.comp": strings.Replace(goodShader, old, new, 1)}
	}
	wrapper := func(old, new string) map[string]string {
		if !strings.Contains(goodWrapper, old) {
			t.Fatalf("goodWrapper has no %q", old)
		}
		return map[string]string{"kernels/sum.go": strings.Replace(goodWrapper, old, new, 1)}
	}
	readme := func(line string) map[string]string { return map[string]string{"README.md": "# Title\n" + line + "\n"} }
	importing := func(file, pkg string, imports string) map[string]string {
		return map[string]string{file: "// " + spdxLine + "\n\n// Package " + pkg + " is a stand-in.\npackage " + pkg + "\n\nimport _ \"" +
			imports + "\"\n"}
	}
	for _, c := range []struct {
		rule, fault string
		changes     map[string]string
		want        string // a regular expression
	}{
		{"format", "not formatted", wrapper("Rows  uint32", "Rows uint32"), `kernels/sum.go:11: not as gofmt`},
		{"spdx", "no licence", map[string]string{"kernels/ref/sum.go": "package ref\n"}, `kernels/ref/sum.go:1: begin`},
		{"spdx", "no licence below #!", map[string]string{"run.sh": "#!/bin/sh\ntrue\n"}, `run.sh:2: begin`},
		{"spdx", "merge marker", readme("<<<<<<< HEAD"), `README.md:2: a merge`},
		{"width", "a long line", map[string]string{"train/t.go": "package t\n\n\t\t// a line of " + strings.Repeat("words ", 21)},
			`train/t.go:3: 147 columns`},
		{"size", "long main", map[string]string{"train/main.go": strings.Repeat("\n", 61)}, `train/main.go:61: 61 lines`},

		{"shaders", "key missing", shader("// Precision: fp32\n", ""), `sum.comp:1: the header lacks the key Precision`},
		{"shaders", "keys out of order",
			shader("// Dispatch: one workgroup\n// Precision: fp32\n", "// Precision: fp32\n// Dispatch: one workgroup\n"),
			`sum.comp:7: Precision is out of order|sum.comp:6: Precision is out of order`},
		{"shaders", "no purpose", shader("// Sum: adds the rows.\n", ""), `sum.comp:2: say in one sentence`},
		{"shaders", "header too long", shader("// Backward: none\n", strings.Repeat("//   more\n", 20)+"// Backward: none\n"),
			`sum.comp:26: the header has`},
		{"shaders", "no partner", shader("// Backward: none\n", ""), `names no partner`},
		{"shaders", "partner gone", shader("Backward: none", "Backward: sum_bwd.comp"), `sum.comp:9: Backward names sum_bwd.comp`},
		{"shaders", "reference gone", shader("ref/sum.go", "ref/total.go"), `sum.comp:8: kernels/ref/total.go does not exist`},
		{"shaders", "function gone", shader("go Sum", "go Total"), `sum.comp:8: kernels/ref/sum.go has no func Total`},
		{"shaders", "function unnamed", shader("go Sum", "go"), `sum.comp:8: name the reference's function`},
		{"shaders", "pointer leads nowhere", shader("see sum.glsl", "see all.glsl"), `sum.comp:4: all.glsl, to which`},
		{"shaders", "code above #version", shader("#version 450\n", "const uint N = 1;\n#version 450\n"), `sum.comp:10: only comments`},
		{"shaders", "push before bindings", shader("layout(set", "layout(push_constant) uniform P { uint a; };\nlayout(set"),
			`sum.comp:15: bindings come after the push block`},
		{"shaders", "bare barrier", shader("    // s is written by all before any reads it.\n", ""),
			`sum.comp:21: the line above a barrier`},
		{"shaders", "bare barrier in an include",
			map[string]string{"shaders/sum.glsl": "// " + spdxLine + "\nvoid f() {\n    barrier();\n}\n"}, `sum.glsl:3: the line above`},
		{"shaders", "bare number", shader("s[0]", "s[262144u]"), `sum.comp:20: 262144 has no name`},
		{"shaders", "nothing explained", shader("s[0] = 1.0e-5 + 255.0;\n", strings.Repeat("s[0] = 0.0;\n", 40)), `note: .* of the`},
		{"shaders", "no wrapper", wrapper(`"sum"`, `"sun"`), `sum.comp:1: no file in kernels/ names "sum"`},
		{"shaders", "no test", map[string]string{"kernels/sum_test.go": ""}, `kernels/sum.go:9: no test in kernels/ calls Sum`},

		{"push", "field missing", wrapper("\t\tScale float32\n", ""),
			`kernels/sum.go:10:2: sum is given .*: word 1 is float Pair|word 1 is called Pair`},
		{"push", "fields swapped", wrapper("\t\tRows  uint32\n\t\tScale float32\n", "\t\tScale float32\n\t\tRows  uint32\n"),
			`word 0 is float Scale, not uint rows`},
		{"push", "field renamed", wrapper("Rows  uint32", "Cols  uint32"), `word 0 is called Cols, not rows`},
		{"push", "64 bits", wrapper("uint32", "uint64"), `word 0 is uint64 Rows`},
		{"push", "array too short", wrapper("[2][2]float32", "[1][2]float32"), `4 words, not 6`},
		{"push", "vector not aligned", shader("float scale; vec2", "float scale; uint odd; vec2"), `word 2 is float Pair, not uint odd`},
		{"push", "block too large", shader("pair[2]", "pair[16]"), `136 bytes, at most 128`},
		{"push", "dispatch not found", wrapper("push any", "block any"), `note: shaders/sum.comp:1: no dispatch`},
		{"push", "name in a variable", wrapper("\trecord(p, \"sum\", struct {",
			"\tshader := \"sum\"\n\trecord(p, shader, struct {\n\t\tFirst uint32"), `word 0 is called First, not rows`},
		{"push", "name in a table", wrapper("\trecord(p, \"sum\", struct {",
			"\trows := []struct{ shader string }{{\"sum\"}}\n\trecord(p, rows[y].shader, struct {\n\t\tFirst uint32"),
			`word 0 is called First, not rows`},

		{"docs", "path gone", readme("`kernels/gone.go`"), `README.md:2: kernels/gone.go does not exist`},
		{"docs", "bare file gone", readme("`gone.comp`"), `README.md:2: gone.comp does not exist`},
		{"docs", "link gone", readme("[x](docs/x.md)"), `README.md:2: the link to docs/x.md`},
		{"docs", "target gone", readme("`make dinner`"), `README.md:2: make dinner: the Makefile has no such target`},
		{"docs", "target gone in a block", readme("```sh\nmake dinner\n```"), `README.md:3: make dinner`},
		{"docs", "package gone", readme("    go run ./nowhere -x"), `README.md:2: go … ./nowhere`},
		{"docs", "figure by hand", readme("<!-- figure: measured -->"), `README.md:2: a figure's command`},
		{"docs", "figure's command gone", readme("<!-- figure: make bench -->"), `README.md:2: make bench`},

		{"imports", "backwards", importing("engine/e.go", "engine", "jitvk/kernels"),
			`engine/e.go:6: engine imports kernels; the direction`},
		{"imports", "skips the order", importing("shaders/s.go", "shaders", "jitvk/engine"), `shaders/s.go:6: shaders imports engine`},
		{"imports", "tools imported", importing("train/t/t.go", "t", "jitvk/tools/x"), `train/t/t.go:6: .*nobody imports tools`},
		{"imports", "a tool imported by a tool", importing("tools/y/y.go", "y", "jitvk/tools/x"), `tools/y/y.go:6: .*nobody imports tools`},
		{"imports", "unsafe", importing("model/m.go", "model", "unsafe"), `model/m.go:6: model imports "unsafe"; only engine`},
		{"imports", "vulkan", importing("model/m.go", "model", "github.com/vulkan-go/vulkan"), `model/m.go:6: .*only engine may`},
		{"imports", "reference not alone", importing("kernels/ref/r.go", "ref", "jitvk/engine"),
			`kernels/ref/r.go:6: .*imports nothing of this module`},
		{"imports", "test help in the product", importing("model/m.go", "model", "jitvk/kernels/kerneltest"),
			`model/m.go:6: .*outside of tests`},
		{"imports", "folder not in the table", importing("extra/e.go", "extra", "fmt"), `extra:1: .*add it to mayImport`},
		{"imports", "no package comment", map[string]string{"model/m.go": "// " + spdxLine + "\n\npackage model\n"},
			`model/m.go:1: .*no package comment`},
	} {
		r := plant(t, c.changes)
		var found []string
		for _, rule := range rules {
			if rule.name == c.rule {
				found = rule.run(r)
			}
		}
		if !regexp.MustCompile(c.want).MatchString(strings.Join(found, "\n")) {
			t.Errorf("%s, %s: want a line like %q, found %q", c.rule, c.fault, c.want, found)
		}
	}
}
