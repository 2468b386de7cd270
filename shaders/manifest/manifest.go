// SPDX-License-Identifier: MIT

// Package manifest ties each committed SPIR-V module to the GLSL it was compiled from.
//
// shaders/MANIFEST records, for every module, the SHA-256 of its source and of each file that source includes, the
// SHA-256 of the .spv, the compiler's version and its exact flags. So a checkout without a shader compiler can still tell
// whether the modules are the ones these sources give: Check recomputes every hash, and needs no glslc and no GPU.
// tools/spv writes the file. This package imports only the standard library.
package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// File is the manifest's name inside the shader folder.
const File = "MANIFEST"

// DefaultFlags are the flags of a shader that has no "// glslc:" line.
var DefaultFlags = []string{"--target-env=vulkan1.1", "-O"}

// Module is one row: a compiled shader and everything that determined its bytes.
type Module struct {
	Name     string            `json:"name"`     // path below shaders/ without extension: "rmsnorm_fwd", "matmul/00_naive"
	SPIRV    string            `json:"spirv"`    // SHA-256 of NAME.spv
	Compiler string            `json:"compiler"` // what glslc --version says, on one line
	Flags    []string          `json:"flags"`    // glslc's flags, without -I and -o
	Sources  map[string]string `json:"sources"`  // SHA-256 by path below shaders/: NAME.comp and all it includes
}

// Manifest is the whole file, modules sorted by name.
type Manifest struct {
	Modules []Module `json:"modules"`
}

// Parse reads a manifest; fields that it does not know are an error.
func Parse(data []byte) (*Manifest, error) {
	m := new(Manifest)
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("shaders/%s: %w; restore it from git, or delete it and run: make spv", File, err)
	}
	return m, nil
}

// Format is Parse's inverse: indented JSON, modules sorted by name.
func (m *Manifest) Format() []byte {
	slices.SortFunc(m.Modules, func(a, b Module) int { return strings.Compare(a.Name, b.Name) })
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		panic(err) // strings and maps of strings always encode
	}
	return b.Bytes()
}

// Find returns the row of the named module, nil where there is none.
func (m *Manifest) Find(name string) *Module {
	for i := range m.Modules {
		if m.Modules[i].Name == name {
			return &m.Modules[i]
		}
	}
	return nil
}

// Names lists the modules that have a file with the given extension (".comp", ".spv") in dir or a folder below it, sorted.
func Names(dir, ext string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(p) != ext {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		names = append(names, strings.TrimSuffix(filepath.ToSlash(rel), ext))
		return err
	})
	slices.Sort(names)
	return names, err
}

// Hash is the SHA-256 of data in hexadecimal.
func Hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

var (
	includeLine = regexp.MustCompile(`(?m)^[ \t]*#[ \t]*include[ \t]+"([^"]+)"`)
	flagsLine   = regexp.MustCompile(`(?m)^//[ \t]*glslc:[ \t]*(.*)$`)
)

// Inputs reads a module's source and, through #include, every file that it needs, and returns their hashes by path below
// dir, and the flags to compile it with. A quoted include is looked up beside the file that names it, then in dir, as
// glslc -I does; one that is in neither place is an error.
func Inputs(dir, name string) (sources map[string]string, flags []string, err error) {
	sources = map[string]string{}
	var read func(rel string) error
	read = func(rel string) error {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(rel)))
		if err != nil {
			return err
		}
		sources[rel] = Hash(data)
		if rel == name+".comp" {
			flags = flagsOf(data)
		}
		for _, m := range includeLine.FindAllSubmatchIndex(data, -1) {
			target := string(data[m[2]:m[3]])
			inc := path.Join(path.Dir(rel), target)
			if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(inc))); err != nil {
				inc = path.Clean(target)
			}
			if sources[inc] != "" {
				continue
			}
			if err := read(inc); err != nil {
				line := 1 + bytes.Count(data[:m[2]], []byte("\n"))
				return fmt.Errorf("shaders/%s:%d: #include %q: %w", rel, line, target, err)
			}
		}
		return nil
	}
	err = read(name + ".comp")
	return sources, flags, err
}

// Sid in a shader's "// glslc:" line says that only Debian sid's glslc compiles it (tools/sid.sh).
const Sid = "sid"

// WantsSid reports whether a module's source has that word.
func WantsSid(dir, name string) (bool, error) {
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)+".comp"))
	m := flagsLine.FindSubmatch(data)
	return m != nil && slices.Contains(strings.Fields(string(m[1])), Sid), err
}

// flagsOf returns DefaultFlags with those of the source's "// glslc:" line added; a target or an optimization level given
// there takes the default's place.
func flagsOf(source []byte) []string {
	flags := slices.Clone(DefaultFlags)
	m := flagsLine.FindSubmatch(source)
	if m == nil {
		return flags
	}
	for _, f := range strings.Fields(string(m[1])) {
		switch {
		case f == Sid: // names the compiler
		case strings.HasPrefix(f, "--target-env="):
			flags[0] = f
		case strings.HasPrefix(f, "-O"):
			flags[1] = f
		default:
			flags = append(flags, f)
		}
	}
	return flags
}

// Stale says why a row does not describe what is in dir now, "" if it does. A nil row is one that is missing.
func Stale(dir, name string, row *Module) string {
	sources, flags, err := Inputs(dir, name)
	switch {
	case err != nil:
		return err.Error()
	case row == nil:
		return "has never been compiled"
	case !slices.Equal(flags, row.Flags):
		return fmt.Sprintf("was compiled with %q, not %q", row.Flags, flags)
	case !maps.Equal(sources, row.Sources):
		for _, f := range slices.Sorted(maps.Keys(sources)) {
			if sources[f] != row.Sources[f] {
				return fmt.Sprintf("%s has changed since it was compiled", f)
			}
		}
		return "includes fewer files than when it was compiled"
	}
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)+".spv"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "its .spv is missing"
	case err != nil:
		return err.Error()
	case Hash(data) != row.SPIRV:
		return "its .spv is not the one that was recorded"
	}
	return ""
}

// Check compares dir with its manifest and returns one line for each shader that is stale, missing or left over, with what
// to do about it; none when all is well. It needs neither glslc nor a GPU.
func Check(dir string) ([]string, error) {
	data, err := os.ReadFile(filepath.Join(dir, File))
	if err != nil {
		return nil, err
	}
	m, err := Parse(data)
	if err != nil {
		return nil, err
	}
	var found []string
	comps, err := Names(dir, ".comp")
	if err != nil {
		return nil, err
	}
	for _, name := range comps {
		if why := Stale(dir, name, m.Find(name)); why != "" {
			found = append(found, fmt.Sprintf("shaders/%s.comp:1: %s; run: make spv", name, why))
		}
	}
	spvs, err := Names(dir, ".spv")
	if err != nil {
		return nil, err
	}
	for _, name := range spvs {
		if !slices.Contains(comps, name) {
			found = append(found, fmt.Sprintf("shaders/%s.spv:1: has no source; run: make spv (it removes it)", name))
		}
	}
	for i, row := range m.Modules {
		if !slices.Contains(comps, row.Name) {
			found = append(found, fmt.Sprintf("shaders/%s:1: lists %s, which has no source; run: make spv", File, row.Name))
		}
		if i > 0 && m.Modules[i-1].Name >= row.Name {
			found = append(found, fmt.Sprintf("shaders/%s:1: %s is listed twice or out of order; run: make spv", File, row.Name))
		}
	}
	return found, nil
}
