// SPDX-License-Identifier: MIT

// Package shaders holds the GLSL compute shaders and, embedded, the SPIR-V compiled from them, so that building, training
// and testing need no shader compiler. It is a leaf: it imports nothing of this project but its own subpackage manifest.
//
// Read README.md for the conventions of a shader, then rmsnorm_fwd.comp as a first example. After a change to a .comp or
// .glsl file run `make spv`, and commit the .spv and MANIFEST with the source; a test fails until that is done.
package shaders

//go:generate go run ../tools/spv

import (
	"strings"
	"sync"

	"jitvk/shaders/manifest"
)

// SPIRV returns the module compiled from NAME.comp, as little-endian 32-bit words. The name is the source's path below this
// folder without its extension: "rmsnorm_fwd", "matmul/00_naive". The bytes are the caller's own.
func SPIRV(name string) ([]byte, bool) {
	data, err := files.ReadFile(name + ".spv")
	return data, err == nil
}

// Names lists the modules, sorted.
func Names() []string {
	var names []string
	for _, m := range Manifest().Modules {
		if _, ok := SPIRV(m.Name); ok {
			names = append(names, m.Name)
		}
	}
	return names
}

// Manifest returns what was recorded when the modules were compiled. It is shared: do not change it.
func Manifest() *manifest.Manifest { return parsed() }

var parsed = sync.OnceValue(func() *manifest.Manifest {
	data, err := files.ReadFile(manifest.File)
	if err != nil {
		panic("shaders: " + err.Error()) // embedded: only a broken build lacks it
	}
	m, err := manifest.Parse(data)
	if err != nil {
		panic("shaders: " + strings.TrimPrefix(err.Error(), "shaders/"))
	}
	return m
})
