// SPDX-License-Identifier: MIT

package main

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	backticks = regexp.MustCompile("`([^`]+)`")
	mdLink    = regexp.MustCompile(`\]\(([^)\s]+)[^)]*\)`)
	figure    = regexp.MustCompile(`<!-- *figure: *(.*?) *-->`)
	goCommand = regexp.MustCompile(`\bgo (?:run|test|build|vet|generate)((?: +[^\s;|&>]+)*)`)
	makeCall  = regexp.MustCompile(`\bmake((?: +[\w.-]+(?:="[^"]*"|=\S*)?)+)`)
	plainPath = regexp.MustCompile(`^(\./)?[\w.@-]+(/[\w.@-]+)*/?$`)
	target    = regexp.MustCompile(`(?m)^([A-Za-z][\w-]*) *:(?:[^=]|$)`)
)

// ours are extensions of files that only this repository has: a bare name with one of them must exist somewhere in it.
var ours = []string{".go", ".comp", ".glsl", ".sh", ".spv"}

// docs checks what every *.md says of the repository: link targets, paths and commands in backticks and code blocks, and
// the command that each figure says it comes from (<!-- figure: make bench -->).
func (r *repo) docs() []string {
	targets := map[string]bool{}
	for _, m := range target.FindAllStringSubmatch(r.read("Makefile"), -1) {
		targets[m[1]] = true
	}
	var found []string
	for _, f := range r.with(".md") {
		fenced := false
		for i, l := range strings.Split(r.read(f), "\n") {
			if strings.HasPrefix(strings.TrimSpace(l), "```") {
				fenced = !fenced
				continue
			}
			report := func(format string, args ...any) { found = append(found, at(f, i+1, format, args...)) }
			var commands []string
			if fenced || strings.HasPrefix(l, "    ") {
				commands = append(commands, l)
			}
			if !fenced {
				for _, m := range mdLink.FindAllStringSubmatch(l, -1) {
					if to, _, _ := strings.Cut(m[1], "#"); to != "" && !strings.Contains(to, ":") && !r.reaches(f, to) {
						report("the link to %s leads nowhere", to)
					}
				}
				for _, m := range backticks.FindAllStringSubmatch(l, -1) {
					commands = append(commands, m[1])
					if p := m[1]; r.isPath(f, p) && !r.reaches(f, p) {
						report("%s does not exist; correct the path or drop it", p)
					}
				}
			}
			for _, m := range figure.FindAllStringSubmatch(l, -1) {
				commands = append(commands, m[1])
				if !goCommand.MatchString(m[1]) && !makeCall.MatchString(m[1]) {
					report("a figure's command is a make target or go run or go test, not %q", m[1])
				}
			}
			for _, c := range commands {
				for _, problem := range r.commands(c, targets) {
					report("%s", problem)
				}
			}
		}
	}
	return found
}

// isPath says whether a word in backticks means a path of this repository: it begins with one of the top folders or files,
// or it has an extension that only our files have.
func (r *repo) isPath(doc, word string) bool {
	if !plainPath.MatchString(word) {
		return false
	}
	word = strings.TrimPrefix(word, "./")
	first, rest, slash := strings.Cut(word, "/")
	if slash && rest != "" && r.dirs[first] {
		return true
	}
	for _, ext := range ours {
		if strings.HasSuffix(word, ext) && word != ext {
			return true
		}
	}
	return false
}

// reaches reports whether a path in a document exists: below the root, beside the document, or, for a bare file name,
// anywhere.
func (r *repo) reaches(doc, p string) bool {
	p = path.Clean(strings.TrimSuffix(p, "/"))
	beside := path.Join(path.Dir(doc), p)
	if r.exists(p) || r.exists(beside) {
		return true
	}
	// What open does not list (testdata, .gitignore's folders) is looked up.
	for _, q := range []string{p, beside} {
		if _, err := os.Stat(filepath.Join(r.root, filepath.FromSlash(q))); err == nil {
			return true
		}
	}
	if !strings.Contains(p, "/") {
		for _, f := range r.files {
			if path.Base(f) == p {
				return true
			}
		}
	}
	return false
}

// commands checks the make targets and the packages that a command line names.
func (r *repo) commands(line string, targets map[string]bool) []string {
	var found []string
	line, _, _ = strings.Cut(line, " #")
	for _, m := range makeCall.FindAllStringSubmatch(line, -1) {
		// The first word is the target; options, variables and what follows in quotes are not looked at.
		word := strings.Fields(m[1])[0]
		if !strings.HasPrefix(word, "-") && !strings.Contains(word, "=") && !targets[word] {
			found = append(found, "make "+word+": the Makefile has no such target")
		}
	}
	for _, m := range goCommand.FindAllStringSubmatch(line, -1) {
		for _, word := range strings.Fields(m[1]) {
			if !strings.HasPrefix(word, "./") {
				continue
			}
			dir := strings.TrimSuffix(strings.TrimSuffix(path.Clean(strings.TrimSuffix(word, "...")), "/"), "/.")
			if strings.HasSuffix(dir, ".go") || !r.dirs[dir] {
				if !r.exists(dir) {
					found = append(found, "go … "+word+": there is no such package")
				}
			}
			break // what follows are the program's own arguments
		}
	}
	return found
}
