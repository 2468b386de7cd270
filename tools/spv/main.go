// SPDX-License-Identifier: MIT

// Command spv compiles shaders/**/*.comp to SPIR-V with glslc and records in shaders/MANIFEST what it compiled from what.
//
//	go run ./tools/spv                 compile what has changed, remove what has no source any more
//	go run ./tools/spv -only rmsnorm   the same for shaders whose name begins with "rmsnorm"
//	go run ./tools/spv -force          compile all, changed or not (after an upgrade of glslc, say)
//	go run ./tools/spv -verify         compile all to memory; any byte that differs from the committed .spv is an error
//
// glslc is $GLSLC (a command with arguments is allowed), else the one in PATH. Flags are manifest.DefaultFlags; a line
// "// glslc: --target-env=vulkan1.3" in a shader changes them, and the word sid there has Debian sid's glslc compile it (make
// sid-root; JITVK_SID_GLSLC names another that knows the newest extensions). Only changed shaders are compiled, and files whose content
// stays the same are not touched. A shader that does not compile keeps its old .spv and row, the others go on, and the exit
// status is 1. Several of these may run at once: they wait for each other on a lock in .cache/.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"

	"jitvk/shaders/manifest"
)

func main() {
	only := flag.String("only", "", "compile only the shaders whose name begins with this `prefix`")
	force := flag.Bool("force", false, "compile shaders that have not changed, too")
	verify := flag.Bool("verify", false, "write nothing; fail unless glslc gives the committed bytes")
	flag.Parse()
	if err := run(os.Stdout, *only, *force, *verify); err != nil {
		fmt.Fprintln(os.Stderr, "spv:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, only string, force, verify bool) error {
	root, err := repository()
	if err != nil {
		return err
	}
	g, err := findGlslc(root, command("GLSLC", "glslc"))
	if err != nil {
		return err
	}
	sid := sync.OnceValues(func() (glslc, error) { return findGlslc(root, command("JITVK_SID_GLSLC", "sh tools/sid.sh glslc")) })
	c := &compiler{glslc: g, sid: sid, root: root, dir: filepath.Join(root, "shaders"), scratch: filepath.Join(root, ".cache", "spv")}
	if err := os.MkdirAll(c.scratch, 0o777); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(root, ".cache", "spv.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	names, err := manifest.Names(c.dir, ".comp")
	if err != nil {
		return err
	}
	m := new(manifest.Manifest)
	if data, err := os.ReadFile(filepath.Join(c.dir, manifest.File)); err == nil {
		if m, err = manifest.Parse(data); err != nil {
			return err
		}
	} else if !os.IsNotExist(err) {
		return err
	}
	if verify {
		return c.verify(out, m, only)
	}
	return c.update(out, m, names, only, force)
}

// repository returns the folder of the nearest go.mod above the working folder.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("no go.mod in %s or above; run this inside the repository", dir)
		}
	}
}

// lock takes an exclusive lock on a file, waiting for whoever holds it; the system releases it if the process dies.
func lock(name string) (unlock func() error, err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("locking %s: %w", name, err)
	}
	return f.Close, nil
}

// glslc is the compiler's command line and version.
type glslc struct {
	command []string
	version string
}

// command returns a command with its arguments: an environment variable's, else the given one.
func command(variable, otherwise string) []string {
	if words := strings.Fields(os.Getenv(variable)); len(words) > 0 {
		return words
	}
	return strings.Fields(otherwise)
}

func findGlslc(root string, command []string) (glslc, error) {
	cmd := exec.Command(command[0], append(command[1:], "--version")...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return glslc{}, fmt.Errorf("%s --version: %w; only changing shaders needs glslc: install it (Debian, Ubuntu, Fedora: "+
			"package glslc; Arch, Homebrew: shaderc; sid's: make sid-root), or name it in GLSLC", strings.Join(command, " "), err)
	}
	// Three lines "shaderc v2023.2", "spirv-tools …", "glslang …" decide the bytes; the rest names glslc's default target.
	version, _, _ := strings.Cut(string(out), "\n\n")
	return glslc{command, strings.Join(strings.Fields(version), " ")}, nil
}

type compiler struct {
	glslc   glslc
	sid     func() (glslc, error) // for the shaders that ask for it
	root    string                // the repository
	dir     string                // root/shaders
	scratch string                // for files that are not whole yet; on the same file system as dir, so that a rename is atomic
}

// compilerOf returns the glslc that a shader asks for.
func (c *compiler) compilerOf(name string) (glslc, error) {
	if sid, err := manifest.WantsSid(c.dir, name); err != nil || !sid {
		return c.glslc, err
	}
	return c.sid()
}

// compile returns the SPIR-V of dir/name.comp, or glslc's messages, which name shaders/FILE:LINE, as an error.
func (c *compiler) compile(g glslc, name string, flags []string) ([]byte, error) {
	tmp, err := os.CreateTemp(c.scratch, "*.spv")
	if err != nil {
		return nil, err
	}
	tmp.Close()
	defer os.Remove(tmp.Name())
	args := append(slices.Clone(g.command[1:]), flags...)
	args = append(args, "-Ishaders", "-o", tmp.Name(), path.Join("shaders", name+".comp"))
	cmd := exec.Command(g.command[0], args...)
	cmd.Dir = c.root
	if out, err := cmd.CombinedOutput(); err != nil {
		if out = bytes.TrimSpace(out); len(out) > 0 {
			return nil, fmt.Errorf("%s", out)
		}
		return nil, fmt.Errorf("%s %s: %w", g.command[0], strings.Join(args, " "), err)
	}
	return os.ReadFile(tmp.Name())
}

// build brings one module up to date and returns its new row.
func (c *compiler) build(name string) (manifest.Module, error) {
	sources, flags, err := manifest.Inputs(c.dir, name)
	if err != nil {
		return manifest.Module{}, err
	}
	g, err := c.compilerOf(name)
	if err != nil {
		return manifest.Module{}, fmt.Errorf("shaders/%s.comp:1: %w", name, err)
	}
	spirv, err := c.compile(g, name, flags)
	if err != nil {
		return manifest.Module{}, err
	}
	// The sources were hashed before they were compiled: whoever edits one in between gets a row that is stale, not wrong.
	row := manifest.Module{Name: name, SPIRV: manifest.Hash(spirv), Compiler: g.version, Flags: flags, Sources: sources}
	return row, c.replace(filepath.Join(c.dir, filepath.FromSlash(name)+".spv"), spirv)
}

// replace gives a file new content in one step, and leaves it alone if the content is the same.
func (c *compiler) replace(file string, data []byte) error {
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, data) {
		return nil
	}
	tmp := filepath.Join(c.scratch, fmt.Sprintf("new-%s-%s", manifest.Hash([]byte(file))[:16], filepath.Base(file)))
	if err := os.WriteFile(tmp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, file)
}

// update compiles what has changed, removes what has no source, and rewrites MANIFEST and embed.go if they differ.
func (c *compiler) update(out io.Writer, m *manifest.Manifest, names []string, only string, force bool) error {
	var stale []string
	for _, name := range names {
		if strings.HasPrefix(name, only) && (force || manifest.Stale(c.dir, name, m.Find(name)) != "") {
			stale = append(stale, name)
		}
	}
	rows := make([]manifest.Module, len(stale))
	errs := parallel(len(stale), func(i int) (err error) { rows[i], err = c.build(stale[i]); return err })

	failed := 0
	for i, err := range errs {
		if err != nil {
			failed++
			fmt.Fprintln(out, err)
			continue
		}
		if old := m.Find(stale[i]); old != nil {
			*old = rows[i]
		} else {
			m.Modules = append(m.Modules, rows[i])
		}
	}
	spvs, err := manifest.Names(c.dir, ".spv")
	if err != nil {
		return err
	}
	gone := func(name string) bool { return strings.HasPrefix(name, only) && !slices.Contains(names, name) }
	for _, name := range spvs {
		if gone(name) {
			fmt.Fprintf(out, "removed shaders/%s.spv: it has no source\n", name)
			if err := os.Remove(filepath.Join(c.dir, filepath.FromSlash(name)+".spv")); err != nil {
				return err
			}
		}
	}
	m.Modules = slices.DeleteFunc(m.Modules, func(row manifest.Module) bool { return gone(row.Name) })
	if err := c.replace(filepath.Join(c.dir, manifest.File), m.Format()); err != nil {
		return err
	}
	if err := c.writeEmbed(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d shaders, %d compiled, %d failed\n", len(names), len(stale)-failed, failed)
	if failed > 0 {
		return fmt.Errorf("%d of %d shaders did not compile; their old .spv and MANIFEST rows are kept", failed, len(stale))
	}
	return nil
}

// writeEmbed lists in shaders/embed.go the folders that hold modules: a go:embed pattern that matches no file is an error,
// so the list cannot be written ahead of the folders.
func (c *compiler) writeEmbed() error {
	spvs, err := manifest.Names(c.dir, ".spv")
	if err != nil {
		return err
	}
	patterns := []string{manifest.File}
	for _, name := range spvs {
		if p := path.Join(path.Dir(name), "*.spv"); !slices.Contains(patterns, p) {
			patterns = append(patterns, p)
		}
	}
	slices.Sort(patterns[1:])
	return c.replace(filepath.Join(c.dir, "embed.go"), fmt.Appendf(nil, `// SPDX-License-Identifier: MIT

// Code generated by tools/spv; DO NOT EDIT.

package shaders

import "embed"

//go:embed %s
var files embed.FS
`, strings.Join(patterns, " ")))
}

// verify compiles every module whose compiler, in the recorded version, is there, and compares the bytes.
func (c *compiler) verify(out io.Writer, m *manifest.Manifest, only string) error {
	var mine []manifest.Module
	var by []glslc
	var others []string
	for _, row := range m.Modules {
		if !strings.HasPrefix(row.Name, only) {
			continue
		}
		if g, err := c.compilerOf(row.Name); err == nil && g.version == row.Compiler {
			mine, by = append(mine, row), append(by, g)
		} else {
			others = append(others, row.Name)
		}
	}
	errs := parallel(len(mine), func(i int) error {
		spirv, err := c.compile(by[i], mine[i].Name, mine[i].Flags)
		if err == nil && manifest.Hash(spirv) != mine[i].SPIRV {
			err = fmt.Errorf("shaders/%s.comp:1: glslc gives other bytes than the committed .spv; run: make spv", mine[i].Name)
		}
		return err
	})
	failed := 0
	for _, err := range errs {
		if err != nil {
			failed++
			fmt.Fprintln(out, err)
		}
	}
	fmt.Fprintf(out, "%d modules verified, %d differ, %d not compared\n", len(mine)-failed, failed, len(others))
	for _, name := range others {
		fmt.Fprintf(out, "not compared: %s was compiled with %q, which is not here\n", name, m.Find(name).Compiler)
	}
	if failed > 0 {
		return fmt.Errorf("%d modules differ", failed)
	}
	return nil
}

// parallel runs f(0) … f(n-1) on all cores and returns their errors in that order.
func parallel(n int, f func(int) error) []error {
	errs := make([]error, n)
	slots := make(chan struct{}, runtime.NumCPU())
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = f(i)
		})
	}
	wg.Wait()
	return errs
}
