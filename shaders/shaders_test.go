// SPDX-License-Identifier: MIT

package shaders

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"jitvk/shaders/manifest"
)

// TestManifest recomputes every hash: the committed modules are those of the committed sources. No glslc, no GPU.
func TestManifest(t *testing.T) {
	found, err := manifest.Check(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// TestEmbedded: what the binary carries is what the folder and the manifest hold, and each is a SPIR-V module.
func TestEmbedded(t *testing.T) {
	onDisk, err := manifest.Names(".", ".spv")
	if err != nil {
		t.Fatal(err)
	}
	if got := Names(); !slices.Equal(got, onDisk) {
		t.Errorf("embedded modules %q, on disk %q; run: make spv", got, onDisk)
	}
	for _, name := range onDisk {
		data, ok := SPIRV(name)
		if !ok {
			t.Errorf("%s is not embedded; run: make spv", name)
			continue
		}
		if row := Manifest().Find(name); row == nil || manifest.Hash(data) != row.SPIRV {
			t.Errorf("%s: embedded bytes are not those of MANIFEST", name)
		}
		if len(data) < 20 || len(data)%4 != 0 || binary.LittleEndian.Uint32(data) != 0x07230203 {
			t.Errorf("%s: %d bytes that are not a SPIR-V module", name, len(data))
		}
	}
	if _, ok := SPIRV("no_such_shader"); ok {
		t.Error("SPIRV found a shader that does not exist")
	}
}

// TestCheckCatches plants each fault in a small folder: manifest.Check must find it, and nothing where all is well.
func TestCheckCatches(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	healthy := func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		write("add.comp", "// glslc: --target-env=vulkan1.3 -DN=4\n#include \"a.glsl\"\n")
		write("a.glsl", "#include \"b.glsl\"\n")
		write("b.glsl", "float b;\n")
		write("ladder/00.comp", "#include \"b.glsl\"\n #  include \"own.glsl\"\n")
		write("ladder/own.glsl", "#include \"own.glsl\"\n") // a cycle must end
		m := new(manifest.Manifest)
		for _, name := range []string{"ladder/00", "add"} {
			sources, flags, err := manifest.Inputs(dir, name)
			if err != nil {
				t.Fatal(err)
			}
			write(name+".spv", "module "+name)
			m.Modules = append(m.Modules, manifest.Module{Name: name, SPIRV: manifest.Hash([]byte("module " + name)),
				Compiler: "glslc 1", Flags: flags, Sources: sources})
		}
		write("MANIFEST", string(m.Format()))
		if got := m.Find("add").Flags; !slices.Equal(got, []string{"--target-env=vulkan1.3", "-O", "-DN=4"}) {
			t.Fatalf("flags %q", got)
		}
		if got := len(m.Find("ladder/00").Sources); got != 3 {
			t.Fatalf("ladder/00 has %d sources, want 00.comp, b.glsl and own.glsl", got)
		}
	}
	healthy()
	if found, err := manifest.Check(dir); err != nil || len(found) > 0 {
		t.Fatalf("a healthy folder: %q, %v", found, err)
	}
	for _, c := range []struct {
		fault string
		plant func()
		want  string
	}{
		{"source edited", func() { write("ladder/00.comp", "#include \"b.glsl\"\n#include \"own.glsl\"\n//\n") },
			"ladder/00.comp has changed"},
		{"include of an include edited", func() { write("b.glsl", "float c;\n") }, "b.glsl has changed"},
		{"include dropped", func() { write("a.glsl", "") }, "a.glsl has changed"},
		{"include gone", func() { os.Remove(filepath.Join(dir, "b.glsl")) }, "no such file"},
		{"flags changed", func() { write("add.comp", "// glslc: -O0\n#include \"a.glsl\"\n") }, "was compiled with"},
		{"module replaced", func() { write("add.spv", "x") }, "not the one that was recorded"},
		{"module missing", func() { os.Remove(filepath.Join(dir, "add.spv")) }, ".spv is missing"},
		{"new shader", func() { write("new.comp", "") }, "never been compiled"},
		{"shader removed", func() { os.Remove(filepath.Join(dir, "add.comp")) }, "has no source"},
		{"stray module", func() { write("ladder/01.spv", "x") }, "has no source"},
	} {
		healthy()
		c.plant()
		found, err := manifest.Check(dir)
		if err != nil {
			t.Errorf("%s: %v", c.fault, err)
		} else if !strings.Contains(strings.Join(found, "\n"), c.want) {
			t.Errorf("%s: found %q, want a line with %q", c.fault, found, c.want)
		}
	}
}
