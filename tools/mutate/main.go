// SPDX-License-Identifier: MIT

// Command mutate plants faults, one at a time, into a copy of this repository, and runs the test that must fail. It shows
// that the tests can fail, and for the right reasons: `make mutate` ends in "N of N caught".
//
//	go run ./tools/mutate               plant all faults of faults.go
//	go run ./tools/mutate -only 12      plant fault 12
//	go run ./tools/mutate -from 12      go on where an earlier run was stopped
//	go run ./tools/mutate -grep rms     plant the faults whose file or test matches
//
// Nothing in the checkout changes. In the copy shaders are read from a folder rather than embedded, so that a fault in a
// shader costs one run of glslc and no build. Before its fault, every test is run without it and must pass. Shaders for matrix
// units are compiled and tested with Debian sid's Mesa where it is there (make sid-root), and otherwise left out. Tests are those of
// plain go test, whatever JITVK_TESTS says; on sid's Mesa the whole sweep's, as in CI.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"jitvk/shaders/manifest"
)

// A fault is one change that a test must notice.
type fault struct {
	File     string // in the repository
	Old, New string // Old occurs in File once
	Test     string // folder of the package and pattern of the test, as in "kernels TestAdd"; "sid kernels TestX" runs it on sid's Mesa
}

func (f fault) sid() bool { return strings.HasPrefix(f.Test, "sid ") }

func (f fault) pkg() string {
	p, _, _ := strings.Cut(strings.TrimPrefix(f.Test, "sid "), " ")
	return p
}
func (f fault) test() string {
	_, t, _ := strings.Cut(strings.TrimPrefix(f.Test, "sid "), " ")
	return t
}

// apply returns a file's text with the fault in it.
func (f fault) apply(text string) (string, error) {
	if n := strings.Count(text, f.Old); n != 1 || f.Old == f.New {
		return "", fmt.Errorf("%s: %q occurs %d times, once wanted, and must become something else", f.File, f.Old, n)
	}
	return strings.Replace(text, f.Old, f.New, 1), nil
}

func main() {
	only := flag.Int("only", 0, "plant this fault only")
	from := flag.Int("from", 1, "begin at this fault")
	grep := flag.String("grep", "", "plant faults whose file or test matches this regular expression")
	workers := flag.Int("j", runtime.NumCPU(), "faults at a time")
	timeout := flag.Duration("timeout", 10*time.Minute, "for one test; one that does not end counts as missed")
	verbose := flag.Bool("v", false, "print what the failing tests say")
	list := flag.Bool("list", false, "print the faults and stop")
	flag.Parse()
	chosen := []int{}
	pattern, err := regexp.Compile(*grep)
	if err != nil {
		fail(err)
	}
	for i, f := range faults {
		if n := i + 1; n >= *from && (*only == 0 || n == *only) && pattern.MatchString(f.File+" "+f.Test) {
			chosen = append(chosen, i)
		}
	}
	if *list {
		for _, i := range chosen {
			fmt.Printf("%3d  %-34s %-44s %q -> %q\n", i+1, faults[i].File, faults[i].Test, short(faults[i].Old), short(faults[i].New))
		}
		fmt.Printf("%d planted faults\n", len(chosen))
		return
	}
	if root, err := repository(); err != nil {
		fail(err)
	} else if err := exec.Command("sh", filepath.Join(root, "tools", "sid.sh"), "glslc", "--version").Run(); err != nil {
		all := len(chosen)
		chosen = slices.DeleteFunc(chosen, func(i int) bool { return faults[i].sid() })
		if left := all - len(chosen); left > 0 {
			fmt.Printf("%d faults in shaders for matrix units are not planted: make sid-root installs what runs them\n", left)
		}
	}
	missed, err := run(chosen, *workers, *timeout, *verbose)
	if err != nil {
		fail(err)
	}
	if missed > 0 {
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "mutate:", err)
	os.Exit(1)
}

// run plants the chosen faults and returns how many were missed.
func run(chosen []int, workers int, timeout time.Duration, verbose bool) (missed int, err error) {
	root, err := repository()
	if err != nil {
		return 0, err
	}
	temp, err := os.MkdirTemp("", "jitvk-mutate-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(temp)
	workers = max(1, min(workers, len(chosen)))
	benches := make([]*bench, workers)
	for i := range benches {
		if benches[i], err = newBench(root, filepath.Join(temp, fmt.Sprint(i)), timeout); err != nil {
			return 0, err
		}
	}
	control := &control{done: map[string]error{}, benches: benches}
	for _, i := range chosen { // one at a time: the build uses all cores
		if err := control.build(faults[i].pkg()); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	queue := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, b := range benches {
		wg.Go(func() {
			for i := range queue {
				f, begun := faults[i], time.Now()
				verdict, output := "caught", ""
				if err := control.test(b, f); err != nil {
					verdict, output = "BROKEN without the fault", err.Error()
				} else if output, err = b.plant(f); err != nil {
					verdict, output = "MISSED", err.Error()
				}
				mu.Lock()
				fmt.Printf("%3d  %-8s %4.1f s  %-36s %-44s %s\n", i+1, verdict, time.Since(begun).Seconds(), f.File, f.Test, short(f.New))
				if verdict != "caught" {
					missed++
				}
				if verdict != "caught" || verbose {
					fmt.Println(indent(output))
				}
				mu.Unlock()
			}
		})
	}
	for _, i := range chosen {
		queue <- i
	}
	close(queue)
	wg.Wait()
	fmt.Printf("%d of %d caught (%.0f s)\n", len(chosen)-missed, len(chosen), time.Since(start).Seconds())
	return missed, nil
}

// control runs each test once without a fault: one that fails anyway would catch anything.
type control struct {
	sync.Mutex
	done    map[string]error
	benches []*bench
}

// build compiles a package's tests for all benches; their trees are alike.
func (c *control) build(pkg string) error {
	if slices.Contains(c.benches[0].built, pkg) {
		return nil
	}
	for _, b := range c.benches {
		if out, err := b.build(pkg, b.binary(pkg)); err != nil {
			return fmt.Errorf("building the tests of %s: %w\n%s", pkg, err, out)
		}
		b.built = append(b.built, pkg)
	}
	return nil
}

func (c *control) test(b *bench, f fault) error {
	c.Lock()
	err, known := c.done[f.Test]
	c.Unlock()
	if known {
		return err
	}
	out, err := b.test(b.binary(f.pkg()), f)
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	} else if strings.Contains(out, "no tests to run") || strings.Contains("\n"+out, "\n--- SKIP") {
		err = fmt.Errorf("no such test, or it is skipped here:\n%s", out)
	}
	c.Lock()
	c.done[f.Test] = err
	c.Unlock()
	return err
}

// A bench is a copy of the repository to plant faults in.
type bench struct {
	root, shaders string
	timeout       time.Duration
	built         []string
}

func newBench(root, dir string, timeout time.Duration) (*bench, error) {
	b := &bench{root: dir, shaders: filepath.Join(dir, "shaders"), timeout: timeout}
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, rel)
		switch {
		case e.IsDir() && slices.Contains([]string{".git", ".cache", "runs", "bin", "shared", "docs"}, rel):
			return filepath.SkipDir
		case e.IsDir():
			return os.MkdirAll(to, 0o777)
		case !e.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o666)
	})
	if err != nil {
		return nil, err
	}
	return b, os.WriteFile(filepath.Join(b.shaders, "embed.go"), []byte(`package shaders

import (
	"os"
	"path/filepath"
)

type folder struct{}

func (folder) ReadFile(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(os.Getenv("JITVK_SHADERS"), name))
}

var files folder
`), 0o666)
}

func (b *bench) binary(pkg string) string {
	return filepath.Join(b.root, strings.ReplaceAll(pkg, "/", "_")+".test")
}

func (b *bench) sid() string { return filepath.Join(b.root, "tools", "sid.sh") }

func (b *bench) build(pkg, to string) (string, error) {
	return b.command(5*time.Minute, b.root, "go", "test", "-c", "-o", to, "./"+pkg)
}

// test runs one test and returns what it says.
func (b *bench) test(binary string, f fault) (string, error) {
	args := []string{"-test.run", f.test(), "-test.v"}
	if f.pkg() == "kernels" {
		args = append(args, "-rapid.shrinktime=0s", "-rapid.nofailfile")
	}
	if f.sid() {
		binary, args = "env", append([]string{"JITVK_TESTS=all", "sh", b.sid(), "exec", binary}, args...)
	}
	return b.command(b.timeout, filepath.Join(b.root, f.pkg()), binary, args...)
}

// plant applies a fault, runs its test and takes the fault out again. The error says why it was not caught.
func (b *bench) plant(f fault) (output string, err error) {
	file := filepath.Join(b.root, f.File)
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	faulty, err := f.apply(string(text))
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(file, []byte(faulty), 0o666); err != nil {
		return "", err
	}
	defer os.WriteFile(file, text, 0o666)

	binary := b.binary(f.pkg())
	if strings.HasSuffix(f.File, ".go") {
		binary = filepath.Join(b.root, "faulty.test")
		if out, err := b.build(f.pkg(), binary); err != nil {
			return "", fmt.Errorf("the fault does not build: %w\n%s", err, out)
		}
	} else {
		restore, err := b.compile(f)
		defer restore()
		if err != nil {
			return "", err
		}
	}
	output, err = b.test(binary, f)
	switch {
	case err == nil:
		return "", fmt.Errorf("the test passes")
	case !strings.Contains(output, "--- FAIL") && !strings.Contains(output, "panic:"):
		return "", fmt.Errorf("the test did not fail, but ended with %w\n%s", err, output)
	}
	return output, nil
}

// compile brings the SPIR-V of a fault's shader, or of all shaders that include its .glsl file, up to date; restore undoes it.
func (b *bench) compile(f fault) (restore func(), err error) {
	old := map[string][]byte{}
	restore = func() {
		for name, data := range old {
			os.WriteFile(name, data, 0o666)
		}
	}
	names, err := b.including(f.File, f.sid())
	if err != nil {
		return restore, err
	}
	glslc := []string{"glslc"}
	if f.sid() {
		glslc = []string{"sh", b.sid(), "glslc"}
	}
	for _, name := range names {
		spv := filepath.Join(b.shaders, filepath.FromSlash(name)+".spv")
		data, err := os.ReadFile(spv)
		if err != nil {
			return restore, err
		}
		_, flags, err := manifest.Inputs(b.shaders, name)
		if err != nil {
			return restore, err
		}
		old[spv] = data
		args := slices.Concat(glslc, flags, []string{"-Ishaders", "-o", spv, "shaders/" + name + ".comp"})
		out, err := b.command(b.timeout, b.root, args[0], args[1:]...)
		if err != nil {
			return restore, fmt.Errorf("the fault does not compile: %w\n%s", err, out)
		}
	}
	return restore, nil
}

// including lists the modules that a file goes into, itself or by #include: those that only Debian sid's glslc compiles, or the
// others.
func (b *bench) including(file string, sid bool) (modules []string, err error) {
	names, err := manifest.Names(b.shaders, ".comp")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		sources, _, err := manifest.Inputs(b.shaders, name)
		if err != nil {
			return nil, err
		}
		text, err := os.ReadFile(filepath.Join(b.shaders, filepath.FromSlash(name)+".comp"))
		if err != nil {
			return nil, err
		}
		if _, ok := sources[strings.TrimPrefix(file, "shaders/")]; ok && forSid.Match(text) == sid {
			modules = append(modules, name)
		}
	}
	if len(modules) == 0 {
		return nil, fmt.Errorf("no shader is made of %s", file)
	}
	return modules, nil
}

var forSid = regexp.MustCompile(`(?m)^// glslc:.*\bsid\b`)

// command runs a program with a time limit and returns what it says.
func (b *bench) command(limit time.Duration, dir, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.WaitDelay = dir, 5*time.Second
	cmd.Env = append(os.Environ(), "JITVK_SHADERS="+b.shaders, "JITVK_TESTS=", "REQUIRE_GPU=1", "GOFLAGS=-buildvcs=false")
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("no end after %v", limit)
	}
	return string(out), err
}

// repository returns the folder of the nearest go.mod above the working folder.
func repository() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod above; run this inside the repository")
		}
	}
	return "", err
}

// short is the first line of s that says something, cut.
func short(s string) string {
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l != "" {
			return l[:min(len(l), 70)]
		}
	}
	return "(removed)"
}

// indent is the last lines of a program's output, set off.
func indent(s string) string {
	lines := bytes.Split(bytes.TrimSpace([]byte(s)), []byte("\n"))
	return "       | " + string(bytes.Join(lines[max(0, len(lines)-12):], []byte("\n       | ")))
}
