// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"jitvk/shaders/manifest"
)

// The stand-in for glslc "compiles" by copying its source, fails where the source says "broken", and logs what it was given.
const fakeGlslc = `#!/bin/sh
if [ "$1" = --version ]; then printf 'fake 1\nmore 2\n\nTarget: x\n'; exit; fi
for a; do src=$a; [ "$last" = -o ] && out=$a; last=$a; done
echo "$*" >>compiled.log
if grep -q broken "$src"; then echo "$src:1: error: broken"; exit 1; fi
{ echo "$1 $2"; cat "$src"; } >"$out"
`

// folder makes a repository with two shaders and steps into it.
func folder(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, "go.mod", "module x\n")
	write(t, "shaders/a.comp", "#include \"c.glsl\"\n")
	write(t, "shaders/c.glsl", "")
	write(t, "shaders/ladder/00.comp", "// glslc: --target-env=vulkan1.3\n")
	write(t, "glslc", fakeGlslc)
	t.Setenv("GLSLC", "./glslc")
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o777); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// compiled returns how many shaders were compiled since it was last called.
func compiled(t *testing.T) int {
	t.Helper()
	data, _ := os.ReadFile("compiled.log") // none: nothing was compiled
	os.Remove("compiled.log")
	return bytes.Count(data, []byte("\n"))
}

func spv(t *testing.T, only string, force, verify bool) (string, error) {
	t.Helper()
	var out strings.Builder
	err := run(&out, only, force, verify)
	return out.String(), err
}

// settled demands that the manifest describes the folder, and that another run compiles and touches nothing.
func settled(t *testing.T) {
	t.Helper()
	if found, err := manifest.Check("shaders"); err != nil || len(found) > 0 {
		t.Fatalf("after a run the manifest is wrong: %q, %v", found, err)
	}
	compiled(t)
	old := time.Now().Add(-time.Hour)
	files := []string{"shaders/MANIFEST", "shaders/embed.go", "shaders/a.spv"}
	for _, f := range files {
		if err := os.Chtimes(f, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := spv(t, "", false, false); err != nil || compiled(t) != 0 {
		t.Fatalf("a second run compiles again: %s%v", out, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.ModTime().After(old.Add(time.Minute)) {
			t.Errorf("a second run touches %s (%v)", f, err)
		}
	}
}

func TestUpdate(t *testing.T) {
	folder(t)
	if out, err := spv(t, "", false, false); err != nil {
		t.Fatal(out, err)
	}
	if n := compiled(t); n != 2 {
		t.Errorf("%d shaders compiled, want 2", n)
	}
	settled(t)
	if got := read(t, "shaders/ladder/00.spv"); !strings.HasPrefix(got, "--target-env=vulkan1.3 -O\n") {
		t.Errorf("the flags of the source's own line were not used: %q", got)
	}
	if got := read(t, "shaders/embed.go"); !strings.Contains(got, "//go:embed MANIFEST *.spv ladder/*.spv\n") {
		t.Errorf("embed.go does not name the folders: %s", got)
	}
	if got := read(t, "shaders/MANIFEST"); !strings.Contains(got, `"compiler": "fake 1 more 2"`) {
		t.Errorf("the compiler is not recorded: %s", got)
	}

	write(t, "shaders/c.glsl", "changed")
	if out, err := spv(t, "", false, false); err != nil || compiled(t) != 1 {
		t.Errorf("after an include changed, its one user should be compiled: %s%v", out, err)
	}
	settled(t)

	write(t, "shaders/a.comp", "changed")
	if out, err := spv(t, "ladder", false, false); err != nil || compiled(t) != 0 {
		t.Errorf("-only ladder compiled something else: %s%v", out, err)
	}
	if out, err := spv(t, "", true, false); err != nil || compiled(t) != 2 {
		t.Errorf("-force should compile all: %s%v", out, err)
	}

	if err := os.Remove("shaders/ladder/00.comp"); err != nil {
		t.Fatal(err)
	}
	if out, err := spv(t, "", false, false); err != nil || !strings.Contains(out, "removed shaders/ladder/00.spv") {
		t.Errorf("a module without a source stays: %s%v", out, err)
	}
	if got := read(t, "shaders/embed.go"); strings.Contains(got, "ladder") {
		t.Errorf("embed.go names a folder without modules, which does not build: %s", got)
	}
	settled(t)
}

func TestBroken(t *testing.T) {
	folder(t)
	if out, err := spv(t, "", false, false); err != nil {
		t.Fatal(out, err)
	}
	before := read(t, "shaders/a.spv")
	write(t, "shaders/a.comp", "broken")
	write(t, "shaders/ladder/00.comp", "changed")
	out, err := spv(t, "", false, false)
	if err == nil || !strings.Contains(out, "shaders/a.comp:1: error: broken") {
		t.Errorf("a broken shader is not reported: %s%v", out, err)
	}
	if read(t, "shaders/a.spv") != before {
		t.Error("a broken shader's module has changed")
	}
	if !strings.Contains(read(t, "shaders/ladder/00.spv"), "changed") {
		t.Error("one broken shader keeps the others from being compiled")
	}
	if found, err := manifest.Check("shaders"); err != nil || len(found) != 1 || !strings.Contains(found[0], "a.comp has changed") {
		t.Errorf("the manifest should hold the broken shader's last good row, and so call it stale: %q, %v", found, err)
	}
	write(t, "shaders/a.comp", "#include \"nowhere.glsl\"\n")
	if out, err := spv(t, "", false, false); err == nil || !strings.Contains(out, "shaders/a.comp:1: #include \"nowhere.glsl\"") {
		t.Errorf("a missing include is not reported where it is: %s%v", out, err)
	}
}

func TestVerify(t *testing.T) {
	folder(t)
	if out, err := spv(t, "", false, false); err != nil {
		t.Fatal(out, err)
	}
	if out, err := spv(t, "", false, true); err != nil || !strings.Contains(out, "2 modules verified, 0 differ, 0 not compared") {
		t.Errorf("good modules: %s%v", out, err)
	}
	// Bytes that the recorded compiler does not give, with a manifest that agrees with them: only compiling finds it.
	m, err := manifest.Parse([]byte(read(t, "shaders/MANIFEST")))
	if err != nil {
		t.Fatal(err)
	}
	m.Find("a").SPIRV = manifest.Hash([]byte("other"))
	m.Find("ladder/00").Compiler = "another"
	write(t, "shaders/a.spv", "other")
	write(t, "shaders/MANIFEST", string(m.Format()))
	out, err := spv(t, "", false, true)
	if err == nil || !strings.Contains(out, "shaders/a.comp:1: glslc gives other bytes") ||
		!strings.Contains(out, "0 modules verified, 1 differ, 1 not compared") {
		t.Errorf("a module that its source does not give: %s%v", out, err)
	}
}

// TestSid: the word sid in a shader has the second compiler compile it, and verify it; without that compiler it is reported,
// and the others go on.
func TestSid(t *testing.T) {
	folder(t)
	write(t, "shaders/new.comp", "// glslc: sid\n")
	t.Setenv("JITVK_SID_GLSLC", "./nowhere")
	if out, err := spv(t, "", false, false); err == nil || !strings.Contains(out, "shaders/new.comp:1: ./nowhere --version") ||
		compiled(t) != 2 {
		t.Errorf("without sid's glslc: %s%v", out, err)
	}
	write(t, "sid", strings.ReplaceAll(fakeGlslc, "fake 1", "sid 1"))
	t.Setenv("JITVK_SID_GLSLC", "./sid")
	if out, err := spv(t, "", false, false); err != nil || compiled(t) != 1 {
		t.Fatal(out, err)
	}
	if got := read(t, "shaders/MANIFEST"); !strings.Contains(got, `"compiler": "sid 1 more 2"`) ||
		!strings.Contains(got, `"compiler": "fake 1 more 2"`) || strings.Contains(got, `"sid"`) {
		t.Errorf("the compilers are not recorded: %s", got)
	}
	settled(t)
	if out, err := spv(t, "", false, true); err != nil || !strings.Contains(out, "3 modules verified, 0 differ, 0 not compared") {
		t.Errorf("%s%v", out, err)
	}
	t.Setenv("JITVK_SID_GLSLC", "./nowhere")
	if out, err := spv(t, "", false, true); err != nil ||
		!strings.Contains(out, "2 modules verified, 0 differ, 1 not compared\nnot compared: new was compiled with \"sid 1 more 2\"") {
		t.Errorf("%s%v", out, err)
	}
}

// TestConcurrent: runs that overlap leave what one run would.
func TestConcurrent(t *testing.T) {
	folder(t)
	var wg sync.WaitGroup
	for _, only := range []string{"a", "ladder", "", "a", "ladder"} {
		wg.Go(func() {
			if err := run(new(bytes.Buffer), only, true, false); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	settled(t)
}

func TestNoCompiler(t *testing.T) {
	folder(t)
	t.Setenv("GLSLC", "./nowhere")
	if _, err := spv(t, "", false, false); err == nil || !strings.Contains(err.Error(), "install it") {
		t.Errorf("without glslc the message should say how to get it: %v", err)
	}
}
