// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// headerKeys must be in each shader's header, in this order, as "// Key: …" or "// Key, Key: see FILE.glsl", and after them
// Backward or Forward. Other keys (Numerics, Requires) may stand between them.
var headerKeys = []string{"Computes", "Shapes", "Push", "Spec", "Dispatch", "Precision", "CPU"}

const headerLines = 25 // at most, so that the purpose and the first binding share a screen

// sections are the parts of a shader in the order in which they come; a line belongs to the first pattern that it matches.
var sections = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"#version", regexp.MustCompile(`^\s*#version`)},
	{"extensions", regexp.MustCompile(`^\s*#extension`)},
	{"bindings", regexp.MustCompile(`^\s*layout\s*\(.*\bbinding\s*=`)},
	{"the push block", regexp.MustCompile(`^\s*layout\s*\(.*\bpush_constant\b`)},
	{"specialization constants", regexp.MustCompile(`^\s*layout\s*\(.*\bconstant_id\s*=`)},
	{"shared memory", regexp.MustCompile(`^\s*shared\s`)},
	{"main", regexp.MustCompile(`^\s*void\s+main\s*\(`)},
}

var (
	headerKey   = regexp.MustCompile(`^// ([A-Z][A-Za-z]+(?:, [A-Z][A-Za-z]+)*): +\S`)
	reference   = regexp.MustCompile(`kernels/ref/[\w/]+\.go`)
	identifier  = regexp.MustCompile(`\b[A-Z]\w*`)
	shaderFile  = regexp.MustCompile(`[\w/]+\.comp\b`)
	seeFile     = regexp.MustCompile(`\bsee ([\w/]+\.glsl)`)
	barrierCall = regexp.MustCompile(`\b(barrier|controlBarrier|memoryBarrier\w*|subgroupBarrier)\s*\(`)
	bigLiteral  = regexp.MustCompile(`(?:^|[^\w.])(\d{2,})u?\b(?:[^.\w]|$)`)
	mayHold     = regexp.MustCompile(`^\s*(const\b|layout\b|#)`) // lines where a large literal gets its name
)

func (r *repo) shaders() []string {
	var found []string
	wrappers := map[string]string{} // text of kernels/*.go
	tests := map[string]string{}
	for _, f := range r.with(".go") {
		switch {
		case path.Dir(f) != "kernels":
		case strings.HasSuffix(f, "_test.go"):
			tests[f] = r.read(f)
		default:
			wrappers[f] = r.read(f)
		}
	}
	for _, f := range r.with(".comp", ".glsl") {
		if !under(f, "shaders") {
			continue
		}
		text := r.read(f)
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		found = append(found, barriers(f, lines)...)
		if path.Ext(f) == ".glsl" {
			continue
		}
		found = append(found, literals(f, lines)...)
		header := 0 // lines above #version
		for header < len(lines) && !strings.HasPrefix(lines[header], "#version") {
			header++
		}
		if header == len(lines) {
			found = append(found, at(f, 1, "no #version line below the header"))
			continue
		}
		found = append(found, r.header(f, lines[:header])...)
		found = append(found, order(f, lines)...)
		found = append(found, density(f, lines[header:], r.verbose)...)
		found = append(found, partners(f, wrappers, tests)...)
	}
	slices.Sort(found)
	return slices.Compact(found) // a wrapper of two shaders is told once
}

// header checks the keys above #version and the files and functions that they name.
func (r *repo) header(f string, lines []string) []string {
	var found []string
	var keys []string
	text := map[string]string{} // the key's value, continuation lines included
	where := map[string]int{}
	for i, l := range lines {
		if !strings.HasPrefix(l, "//") && l != "" {
			found = append(found, at(f, i+1, "only comments come before #version"))
		}
		if m := headerKey.FindStringSubmatch(l); m != nil && i > 1 { // line 2 is the purpose, often "AdamW: …"
			for _, key := range strings.Split(m[1], ", ") {
				keys = append(keys, key)
				where[key] = i + 1
				text[key] = strings.TrimPrefix(l, "// "+m[1]+":")
			}
		} else if len(keys) > 0 {
			text[keys[len(keys)-1]] += " " + strings.TrimPrefix(l, "//")
		}
	}
	if len(lines) > headerLines {
		found = append(found, at(f, headerLines+1, "the header has %d lines, at most %d are wanted: move detail to where it applies",
			len(lines), headerLines))
	}
	if len(lines) < 2 || len(lines[1]) < 10 || strings.HasPrefix(lines[1], "// "+headerKeys[0]+":") {
		found = append(found, at(f, 2, "say in one sentence what this shader is for, in the line below the licence"))
	}
	last := 0
	for _, want := range headerKeys {
		i := slices.Index(keys, want)
		switch {
		case i < 0:
			found = append(found, at(f, 1, "the header lacks the key %s; the keys are %s, Backward or Forward", want,
				strings.Join(headerKeys, ", ")))
		case i < last:
			found = append(found, at(f, where[want], "%s is out of order; the order is %s, Backward or Forward", want,
				strings.Join(headerKeys, ", ")))
		default:
			last = i
		}
	}
	if where["Backward"] == 0 && where["Forward"] == 0 {
		found = append(found, at(f, 1, "the header names no partner; add Backward: or Forward: with its file, or none and why"))
	}
	for _, key := range keys {
		for _, m := range seeFile.FindAllStringSubmatch(text[key], -1) {
			if !r.exists(path.Join("shaders", m[1])) && !r.exists(path.Join(path.Dir(f), m[1])) {
				found = append(found, at(f, where[key], "%s, to which %s points, does not exist", m[1], key))
			}
		}
	}
	// "kernels/ref/rmsnorm.go RMSNorm, RMSNormBackward": the file is there and has a function of each name.
	cpu, files := text["CPU"], reference.FindAllString(text["CPU"], -1)
	if where["CPU"] > 0 && len(files) == 0 {
		found = append(found, at(f, where["CPU"], "CPU names no reference; write: kernels/ref/FILE.go Function"))
	}
	var references strings.Builder
	for _, ref := range files {
		if !r.exists(ref) {
			found = append(found, at(f, where["CPU"], "%s does not exist", ref))
		}
		references.WriteString(r.read(ref))
	}
	if len(files) > 0 && references.Len() > 0 {
		_, names, _ := strings.Cut(cpu, files[0])
		names = strings.TrimLeft(reference.ReplaceAllString(names, ""), " ")
		name := identifier.FindString(names)
		if name == "" || !strings.HasPrefix(names, name) {
			found = append(found, at(f, where["CPU"], "name the reference's function after its file: %s Function", files[0]))
		} else if !regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + name + `\b`).MatchString(references.String()) {
			found = append(found, at(f, where["CPU"], "%s has no func %s", strings.Join(files, ", "), name))
		}
	}
	for _, key := range []string{"Backward", "Forward"} {
		for _, partner := range shaderFile.FindAllString(text[key], -1) {
			if !r.exists(path.Join("shaders", partner)) && !r.exists(path.Join(path.Dir(f), partner)) && !r.exists(partner) {
				found = append(found, at(f, where[key], "%s names %s, which does not exist", key, partner))
			}
		}
	}
	return found
}

// order demands that the sections come as the conventions have them.
func order(f string, lines []string) []string {
	reached := 0
	for i, l := range lines {
		for s, section := range sections {
			if section.pattern.MatchString(l) {
				if s < reached {
					return []string{at(f, i+1, "%s come after %s; move them up", section.name, sections[reached].name)}
				}
				reached = s
				break
			}
		}
	}
	return nil
}

// barriers demands, above every barrier, a comment that names the hazard.
func barriers(f string, lines []string) []string {
	var found []string
	for i, l := range lines {
		code, _, _ := strings.Cut(l, "//")
		if !barrierCall.MatchString(code) {
			continue
		}
		above := ""
		for j := i - 1; j >= 0 && above == ""; j-- {
			above = strings.TrimSpace(lines[j])
			if barrierCall.MatchString(above) && !strings.HasPrefix(above, "//") {
				above = "" // memoryBarrierShared(); barrier(); is one barrier
			}
		}
		if !strings.HasPrefix(above, "//") && !strings.HasSuffix(above, "*/") {
			found = append(found, at(f, i+1, "the line above a barrier names the hazard: what is written before and read after it"))
		}
	}
	return found
}

// literals wants numbers above 64 to have a name.
func literals(f string, lines []string) []string {
	var found []string
	for i, l := range lines {
		code, _, _ := strings.Cut(l, "//")
		if mayHold.MatchString(code) {
			continue
		}
		for _, m := range bigLiteral.FindAllStringSubmatch(code, -1) {
			if len(m[1]) > 2 || m[1] > "64" {
				found = append(found, at(f, i+1, "%s has no name; make it a const", m[1]))
			}
		}
	}
	return found
}

// density compares the comments below the header with the code. The aim is 12 to 20 %; shaders that are nearly all header
// are left alone.
func density(f string, lines []string, verbose bool) []string {
	total, comments := 0, 0
	for _, l := range lines {
		if strings.TrimSpace(l) == "" {
			continue
		}
		total++
		if strings.Contains(l, "//") || strings.Contains(l, "/*") {
			comments++
		}
	}
	percent := 100 * float64(comments) / float64(total)
	switch {
	case total >= 30 && (percent < 8 || percent > 25):
		return []string{note + at(f, 1, "%.0f %% of the %d lines below the header carry a comment; 12 to 20 are wanted, on why, which "+
			"index, which unit", percent, total)}
	case verbose:
		return []string{note + at(f, 1, "comment density %.0f %%", percent)}
	}
	return nil
}

// recorder is a wrapper: an exported function that records into a program.
var recorder = regexp.MustCompile(`(?m)^func ([A-Z]\w*)\(p \*engine\.Program`)

// partners demands that a wrapper in kernels/ names the shader, and that a test there calls each wrapper of that file. A
// shader that serves no op (a rung of a teaching ladder, a probe) may be named by a test alone.
func partners(f string, wrappers, tests map[string]string) []string {
	quoted := fmt.Sprintf("%q", strings.TrimSuffix(strings.TrimPrefix(f, "shaders/"), ".comp"))
	allTests := strings.Join(slices.Collect(maps.Values(tests)), "\n")
	named := strings.Contains(allTests, quoted)
	var found []string
	for _, w := range slices.Sorted(maps.Keys(wrappers)) {
		if !strings.Contains(wrappers[w], quoted) {
			continue
		}
		named = true
		for _, m := range recorder.FindAllStringSubmatchIndex(wrappers[w], -1) {
			op := wrappers[w][m[2]:m[3]]
			if !regexp.MustCompile(`\b` + op + `\b`).MatchString(allTests) {
				line := 1 + strings.Count(wrappers[w][:m[0]], "\n")
				found = append(found, at(w, line, "no test in kernels/ calls %s; write one in %s_test.go", op,
					strings.TrimSuffix(w, ".go")))
			}
		}
	}
	if !named {
		found = append(found, at(f, 1, "no file in kernels/ names %s; write its wrapper or remove the shader", quoted))
	}
	return found
}
