// SPDX-License-Identifier: MIT

// Command check holds the repository to its own rules; `make check` runs it. Each finding is one line, file:line: what is
// wrong and what to do, and makes the exit status 1; a line that begins with "note:" does not.
//
//	go run ./tools/check                run every check
//	go run ./tools/check shaders docs   run these
//	go run ./tools/check -list          say what there is
//	go run ./tools/check -v             print the comment density of every shader, too
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A rule is one check. Quick ones need no compiler and run as part of go test, too.
type rule struct {
	name  string
	quick bool
	what  string
	run   func(*repo) []string // findings
}

var rules = []rule{
	{"format", true, "Go files are as gofmt writes them", (*repo).format},
	{"spdx", true, "source files begin with their licence, and are free of merge markers", (*repo).spdx},
	{"manifest", true, "committed SPIR-V is that of the committed GLSL", (*repo).manifest},
	{"shaders", true, "headers, order, partners, barriers and comments of GLSL", (*repo).shaders},
	{"docs", true, "paths, commands and figures in *.md exist", (*repo).docs},
	{"width", true, "lines of Go, C and GLSL have at most 140 columns", (*repo).width},
	{"size", true, "programs and the tape's core stay short", (*repo).size},
	{"imports", false, "packages import in one direction only", (*repo).imports},
	{"push", false, "push-constant structs match their shaders' blocks", (*repo).push},
	{"vet", false, "go vet", (*repo).vet},
	{"staticcheck", false, "staticcheck", (*repo).staticcheck},
	{"pure", false, "kernels/ref and shaders build without cgo", (*repo).pure},
}

func main() {
	list := flag.Bool("list", false, "list the checks and stop")
	verbose := flag.Bool("v", false, "print notes that are no findings, too")
	flag.Parse()
	if *list {
		for _, r := range rules {
			fmt.Printf("%-12s %s\n", r.name, r.what)
		}
		return
	}
	ok, err := run(os.Stdout, flag.Args(), *verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run prints the findings of the named rules, all if none is named, in the rules' order.
func run(out io.Writer, names []string, verbose bool) (ok bool, err error) {
	for _, name := range names {
		if !slices.ContainsFunc(rules, func(r rule) bool { return r.name == name }) {
			return false, fmt.Errorf("no check is called %q; -list shows them", name)
		}
	}
	dir, err := os.Getwd()
	if err != nil {
		return false, err
	}
	r, err := open(dir)
	if err != nil {
		return false, err
	}
	r.verbose = verbose
	type result struct {
		findings []string
		took     time.Duration
	}
	results := make([]result, len(rules))
	var wg sync.WaitGroup
	for i, rule := range rules {
		if len(names) > 0 && !slices.Contains(names, rule.name) {
			continue
		}
		wg.Go(func() {
			start := time.Now()
			findings := rule.run(r)
			results[i] = result{findings, time.Since(start)}
		})
	}
	wg.Wait()
	ok = true
	for i, rule := range rules {
		if results[i].took == 0 {
			continue
		}
		bad := 0
		for _, f := range results[i].findings {
			fmt.Fprintln(out, f)
			if !strings.HasPrefix(f, note) {
				bad++
			}
		}
		verdict := "ok"
		if bad > 0 {
			verdict, ok = fmt.Sprintf("%d findings", bad), false
		}
		fmt.Fprintf(out, "%-12s %-12s %5.1f s  %s\n", rule.name, verdict, results[i].took.Seconds(), rule.what)
	}
	return ok, nil
}

// note begins a line that is worth knowing but no fault.
const note = "note: "

// repo is a checkout to look at.
type repo struct {
	root    string
	files   []string // slash-separated, relative to root, sorted; without what git ignores and testdata
	dirs    map[string]bool
	verbose bool
}

// open finds the repository that dir is in and lists its files.
func open(dir string) (*repo, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			return nil, fmt.Errorf("no go.mod in %s or above; run this inside the repository", dir)
		}
		root = filepath.Dir(root)
	}
	r := &repo{root: root, dirs: map[string]bool{".": true}}
	err = filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			if os.IsNotExist(err) { // removed while we look: another's temporary file
				return nil
			}
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if e.IsDir() {
			switch rel {
			case ".git", ".cache", "runs", "bin":
				return filepath.SkipDir
			}
			r.dirs[rel] = true
			return nil
		}
		if e.Type().IsRegular() && !strings.Contains(rel, "testdata/") {
			r.files = append(r.files, rel)
		}
		return nil
	})
	slices.Sort(r.files)
	return r, err
}

// with lists the files with one of the extensions.
func (r *repo) with(exts ...string) []string {
	var out []string
	for _, f := range r.files {
		if slices.Contains(exts, path.Ext(f)) {
			out = append(out, f)
		}
	}
	return out
}

// read returns a file's text, "" if it cannot be read.
func (r *repo) read(file string) string {
	data, err := os.ReadFile(filepath.Join(r.root, filepath.FromSlash(file)))
	if err != nil {
		return ""
	}
	return string(data)
}

// exists reports whether a path is a file or folder of the repository.
func (r *repo) exists(p string) bool {
	_, found := slices.BinarySearch(r.files, p)
	return found || r.dirs[p]
}

func at(file string, line int, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: ", file, line) + fmt.Sprintf(format, args...)
}

// command runs a tool in the root and returns its lines, none if it succeeded.
func (r *repo) command(env []string, name string, args ...string) []string {
	cmd := exec.Command(name, args...)
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	lines := strings.Split(string(bytes.TrimSpace(out)), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { // go vet's and go build's headings say nothing
		return l == "" || strings.HasPrefix(l, "# ") || strings.HasPrefix(l, "-: # ") || strings.HasPrefix(l, "exit status ")
	})
	return append(lines, fmt.Sprintf("%s %s: %v", name, strings.Join(args, " "), err))
}
