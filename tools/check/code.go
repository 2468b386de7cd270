// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"jitvk/shaders/manifest"
)

func (r *repo) format() []string {
	var found []string
	for _, f := range r.with(".go") {
		src := []byte(r.read(f))
		out, err := format.Source(src)
		if err != nil {
			found = append(found, at(f, 1, "%v", err))
		} else if !bytes.Equal(src, out) {
			line := 1
			for i := range min(len(src), len(out)) {
				if src[i] != out[i] {
					break
				} else if src[i] == '\n' {
					line++
				}
			}
			found = append(found, at(f, line, "not as gofmt writes it; run: gofmt -w %s", f))
		}
	}
	return found
}

// columns is the most that a line of code may have, a tab counting as 4.
const columns = 140

// width finds lines that are longer. A line of one unbreakable word is none: a long string without a space in it.
func (r *repo) width() []string {
	var found []string
	for _, f := range r.with(".go", ".comp", ".glsl", ".c", ".h") {
		for i, l := range strings.Split(r.read(f), "\n") {
			n := utf8.RuneCountInString(l) + 3*strings.Count(l, "\t")
			if n > columns && strings.Contains(strings.TrimSpace(l), " ") {
				found = append(found, at(f, i+1, "%d columns, at most %d are wanted; break the line, or give a part of it a name", n,
					columns))
			}
		}
	}
	return found
}

const spdxLine = "SPDX-License-Identifier: MIT"

// spdx demands the licence in the first line, or in the second below a #! line.
func (r *repo) spdx() []string {
	var found []string
	for _, f := range r.files {
		comment := ""
		switch path.Ext(f) {
		case ".go", ".c", ".h", ".comp", ".glsl":
			comment = "// "
		case ".sh":
			comment = "# "
		case ".md", ".mod":
		default:
			if f != "Makefile" && f != ".ci/run" {
				continue
			}
			comment = "# "
		}
		lines := strings.Split(r.read(f), "\n")
		for i, l := range lines {
			if strings.HasPrefix(l, "<<<<<<< ") || strings.HasPrefix(l, ">>>>>>> ") {
				found = append(found, at(f, i+1, "a merge left its marker; resolve it"))
			}
		}
		first := 0
		if strings.HasPrefix(lines[0], "#!") {
			first = 1
		}
		if comment != "" && (len(lines) <= first || lines[first] != comment+spdxLine) {
			found = append(found, at(f, first+1, "begin the file with: %s%s", comment, spdxLine))
		}
	}
	return found
}

func (r *repo) manifest() []string {
	found, err := manifest.Check(filepath.Join(r.root, "shaders"))
	if err != nil {
		return append(found, "shaders/MANIFEST:1: "+err.Error())
	}
	return found
}

// size holds files to the lines that their readers were promised.
func (r *repo) size() []string {
	var found []string
	for _, limit := range []struct {
		file  string
		lines int
		move  string
	}{
		{"train/main.go", 60, "what a second program would want belongs in a package below"},
		{"sample/main.go", 60, "what a second program would want belongs in a package below"},
		{"autograd/tape.go", 200, "the tape's core is read in one sitting; ops have files of their own"},
	} {
		if n := strings.Count(r.read(limit.file), "\n"); n > limit.lines {
			found = append(found, at(limit.file, limit.lines+1, "%d lines, at most %d are wanted: %s", n, limit.lines, limit.move))
		}
	}
	return found
}

// goPackage is what we need of go list -json.
type goPackage struct {
	ImportPath, Name, Dir, Doc string
	Imports                    []string
	TestImports, XTestImports  []string
	GoFiles, CgoFiles          []string
}

// module is this module's path; mayImport says, for a folder and all below it, what of the module its packages may import
// besides those of their own folder. The longest folder that matches counts.
const module = "jitvk"

var mayImport = map[string][]string{
	"shaders":            {},
	"engine":             {"shaders"},
	"kernels":            {"engine", "shaders"},
	"autograd":           {"kernels", "engine"},
	"model":              {"autograd", "kernels", "engine"},
	"train":              {"model", "autograd", "kernels", "engine"},
	"sample":             {"model", "autograd", "kernels", "engine"},
	"tools":              {"train", "sample", "model", "autograd", "kernels", "engine", "shaders"},
	"docs":               {"train", "sample", "model", "autograd", "kernels", "engine", "shaders"},
	"kernels/kerneltest": {"kernels", "engine"},
}

// standalone packages import nothing of the module, not even from their own folder.
var standalone = []string{"kernels/ref", "shaders/manifest", "model/ode"}

// testOnly packages are imported by tests and by nothing else, but for each other.
var testOnly = []string{"kernels/kerneltest", "engine/files/disktest"}

func under(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

func (r *repo) imports() []string {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Name,Dir,Doc,Imports,TestImports,XTestImports,GoFiles,CgoFiles", "./...")
	cmd.Dir = r.root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return []string{fmt.Sprintf("go list: %v: %s", err, &stderr)}
	}
	var found []string
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p goPackage
		if err := d.Decode(&p); err != nil {
			return append(found, "go list: "+err.Error())
		}
		found = append(found, r.importsOf(p)...)
	}
	return found
}

// importsOf checks one package against the tables above.
func (r *repo) importsOf(p goPackage) []string {
	var found []string
	self := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
	report := func(imported, format string, args ...any) {
		file, line := r.whereImported(p.Dir, imported)
		found = append(found, at(file, line, format, args...))
	}
	folder := ""
	for f := range mayImport {
		if under(self, f) && len(f) > len(folder) {
			folder = f
		}
	}
	if folder == "" {
		return []string{at(self, 1, "package %s is in no folder of the table; add it to mayImport in tools/check/code.go", p.ImportPath)}
	}
	if p.Doc == "" && len(p.GoFiles)+len(p.CgoFiles) > 0 {
		report("", "package %s has no package comment; say what it is, what it may import and what to read first, in doc.go", self)
	}
	alone := slices.Contains(standalone, self)
	see := func(imported string, test bool) {
		switch imported {
		case "C", "unsafe", "github.com/vulkan-go/vulkan":
			if !under(self, "engine") {
				report(imported, "%s imports %q; only engine may", self, imported)
			}
			return
		}
		if !under(imported, module) {
			return
		}
		dep := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
		allowed := append([]string{folder, strings.Split(self, "/")[0]}, mayImport[folder]...)
		switch {
		case dep == self: // an external test of its own package
		case test && slices.Contains(testOnly, dep) && !alone:
		case under(self, "tools") && under(dep, "tools/internal"):
		case under(dep, "tools"):
			report(imported, "%s imports %s; nobody imports tools: move what is shared into a package of its own", self, dep)
		case alone:
			report(imported, "%s imports %s; it imports nothing of this module", self, dep)
		case slices.Contains(testOnly, dep) && !slices.Contains(testOnly, self) && !under(self, "tools"):
			report(imported, "%s imports %s outside of tests", self, dep)
		case !slices.ContainsFunc(allowed, func(f string) bool { return under(dep, f) }):
			report(imported, "%s imports %s; the direction is shaders, engine <- kernels <- autograd <- model <- train, sample", self, dep)
		}
	}
	for _, i := range p.Imports {
		see(i, false)
	}
	for _, i := range slices.Concat(p.TestImports, p.XTestImports) {
		see(i, true)
	}
	return found
}

// whereImported returns the file and line of an import in a package's folder; for "", the package's first file.
func (r *repo) whereImported(dir, imported string) (file string, line int) {
	rel, err := filepath.Rel(r.root, dir)
	if err != nil {
		rel = dir
	}
	rel = filepath.ToSlash(rel)
	file = rel
	for _, f := range r.with(".go") {
		if path.Dir(f) != rel {
			continue
		}
		if file == rel {
			file = f
		}
		for i, l := range strings.Split(r.read(f), "\n") {
			if imported != "" && strings.Contains(l, `"`+imported+`"`) {
				return f, i + 1
			}
		}
	}
	return file, 1
}

func (r *repo) vet() []string         { return r.command(nil, "go", "vet", "./...") }
func (r *repo) staticcheck() []string { return r.command(nil, "go", "tool", "staticcheck", "./...") }

func (r *repo) pure() []string {
	packages := []string{"./shaders/..."}
	if _, err := os.Stat(filepath.Join(r.root, "kernels", "ref")); err == nil {
		packages = append(packages, "./kernels/ref/...")
	}
	return r.command([]string{"CGO_ENABLED=0"}, "go", append([]string{"build"}, packages...)...)
}
