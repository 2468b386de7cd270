// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/types"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/packages"
)

// push compares, for every dispatch in kernels/, the Go struct that is pushed with the block that the shader declares: the
// same fields by name (case and underscores aside), type, offset and order, all of 32 bits, at most 128 bytes.
//
// A dispatch is a call, or an engine.Dispatch literal, in which one argument is the name of a shader, as a constant or as a
// variable or field that is assigned constants, and another is the parameter or field called push. Shaders of which no dispatch is
// found are listed as notes.
func (r *repo) push() []string {
	blocks := map[string][]field{}
	var found []string
	for _, f := range r.with(".comp") {
		if !under(f, "shaders") {
			continue
		}
		block, err := pushBlock(r.included(f, map[string]bool{}))
		if err != nil {
			found = append(found, at(f, 1, "%v", err))
		}
		blocks[strings.TrimSuffix(strings.TrimPrefix(f, "shaders/"), ".comp")] = block
	}
	if !r.dirs["kernels"] {
		return found
	}
	loaded, err := packages.Load(&packages.Config{Dir: r.root, Mode: packages.LoadSyntax | packages.NeedModule}, "./kernels")
	if err != nil || len(loaded) != 1 {
		return append(found, fmt.Sprintf("kernels:1: cannot be loaded: %v", err))
	}
	p := loaded[0]
	if len(p.Errors) > 0 {
		return append(found, fmt.Sprintf("%s: %s (kernels must compile before push blocks can be compared)", r.relative(p.Errors[0].Pos),
			p.Errors[0].Msg))
	}
	seen := map[string]bool{}
	named := assigned(p)
	for _, file := range p.Syntax {
		ast.Inspect(file, func(n ast.Node) bool {
			names, pushed := dispatch(p.TypesInfo, n, named, blocks)
			if len(names) == 0 || pushed == nil {
				return true
			}
			t := p.TypesInfo.TypeOf(pushed)
			if pointer, ok := t.Underlying().(*types.Pointer); ok {
				t = pointer.Elem()
			}
			fields, ok := structFields(t)
			if !ok {
				return true // an interface or nil: not known here
			}
			for _, name := range names {
				seen[name] = true
				if why := differ(fields, blocks[name]); why != "" {
					found = append(found,
						fmt.Sprintf("%s: %s is given %s: %s; shaders/%s.comp has %s", r.relative(p.Fset.Position(n.Pos()).String()),
							name, describe(fields), why, name, describe(blocks[name])))
				}
			}
			return true
		})
	}
	for name := range blocks {
		if !seen[name] && len(blocks[name]) > 0 {
			found = append(found, note+at("shaders/"+name+".comp", 1,
				"no dispatch of it with a push struct is found in kernels/: its push block is not compared"))
		}
	}
	slices.Sort(found)
	return found
}

var includes = regexp.MustCompile(`(?m)^\s*#\s*include\s+"([^"]+)".*$`)

// included returns a shader's text with its includes in their places, each once.
func (r *repo) included(f string, seen map[string]bool) string {
	return includes.ReplaceAllStringFunc(r.read(f), func(line string) string {
		name := includes.FindStringSubmatch(line)[1]
		inc := path.Join(path.Dir(f), name)
		if !r.exists(inc) {
			inc = path.Join("shaders", name)
		}
		if seen[inc] {
			return ""
		}
		seen[inc] = true
		return r.included(inc, seen)
	})
}

func (r *repo) relative(position string) string {
	return strings.TrimPrefix(position, r.root+string(filepath.Separator))
}

// field is one 32-bit word of a push block; kind is uint, int or float, in GLSL's words. The words of a vector or an array
// share its name.
type field struct {
	name, kind string
	offset     int // bytes
}

func describe(fields []field) string {
	var words []string
	for i, f := range fields {
		if i == 0 || fields[i-1].name != f.name {
			words = append(words, f.kind+" "+f.name)
		}
	}
	return "{" + strings.Join(words, ", ") + "}"
}

var (
	comment  = regexp.MustCompile(`(?s)//[^\n]*|/\*.*?\*/`)
	pushDecl = regexp.MustCompile(`(?s)layout\s*\([^)]*\bpush_constant\b[^)]*\)\s*uniform\s+\w+\s*\{([^}]*)\}`)
)

var glslType = regexp.MustCompile(`^(?:(uint|int|float)|([ui]?)vec([24]))$`)
var glslName = regexp.MustCompile(`^(\w+)(?:\[(\d+)\])?$`)

// pushBlock returns the words of a shader's push-constant block, laid out as std430 has it, none where it has no block.
func pushBlock(source string) ([]field, error) {
	m := pushDecl.FindStringSubmatch(comment.ReplaceAllString(source, ""))
	if m == nil {
		return nil, nil
	}
	var fields []field
	offset := 0
	for _, declaration := range strings.Split(m[1], ";") {
		kind, names, ok := strings.Cut(strings.TrimSpace(declaration), " ")
		if !ok {
			continue
		}
		t := glslType.FindStringSubmatch(kind)
		if t == nil {
			return nil, fmt.Errorf("the push block has a %s; use uint, int, float, and their vectors of 2 or 4", kind)
		}
		words := 1
		if t[3] != "" {
			kind = map[string]string{"": "float", "u": "uint", "i": "int"}[t[2]]
			words = int(t[3][0] - '0')
		}
		for _, name := range strings.Split(names, ",") {
			n := glslName.FindStringSubmatch(strings.TrimSpace(name))
			if n == nil {
				return nil, fmt.Errorf("the push block's %s is not understood; write a name, or a name[number]", strings.TrimSpace(name))
			}
			count := words
			if n[2] != "" {
				elements, err := strconv.Atoi(n[2])
				if err != nil {
					return nil, err
				}
				count *= elements
			}
			offset += -offset & (4*words - 1) // a vector of two words is aligned to two, of four to four
			for range count {
				fields = append(fields, field{n[1], kind, offset})
				offset += 4
			}
		}
	}
	if offset > 128 {
		return nil, fmt.Errorf("the push block has %d bytes, at most 128 are guaranteed", offset)
	}
	return fields, nil
}

// assigned returns, for every variable and struct field of a package, the constant strings that are assigned to it anywhere.
func assigned(p *packages.Package) map[types.Object][]string {
	out := map[types.Object][]string{}
	set := func(o types.Object, value ast.Expr) {
		if v := p.TypesInfo.Types[value].Value; v != nil && v.Kind() == constant.String {
			out[o] = append(out[o], constant.StringVal(v))
		}
	}
	add := func(left, right ast.Expr) {
		if id, ok := left.(*ast.Ident); ok {
			set(p.TypesInfo.ObjectOf(id), right)
		}
	}
	for _, file := range p.Syntax {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for i := range n.Lhs {
					if len(n.Lhs) == len(n.Rhs) {
						add(n.Lhs[i], n.Rhs[i])
					}
				}
			case *ast.ValueSpec:
				for i := range n.Values {
					if len(n.Names) == len(n.Values) {
						add(n.Names[i], n.Values[i])
					}
				}
			case *ast.CompositeLit: // a row of a table
				s, ok := p.TypesInfo.TypeOf(n).Underlying().(*types.Struct)
				for i, e := range n.Elts {
					if kv, keyed := e.(*ast.KeyValueExpr); ok && keyed {
						add(kv.Key, kv.Value)
					} else if ok {
						set(s.Field(i), e)
					}
				}
			}
			return true
		})
	}
	return out
}

// dispatch returns the shaders that a node may dispatch and the pushed expression, if the node is a dispatch.
func dispatch(info *types.Info, n ast.Node, named map[types.Object][]string, blocks map[string][]field) (shaders []string,
	pushed ast.Expr) {
	shader := func(e ast.Expr) {
		var names []string
		if v := info.Types[e].Value; v != nil && v.Kind() == constant.String {
			names = []string{constant.StringVal(v)}
		} else if id, ok := e.(*ast.Ident); ok {
			names = named[info.ObjectOf(id)]
		} else if field, ok := e.(*ast.SelectorExpr); ok {
			names = named[info.ObjectOf(field.Sel)]
		}
		for _, name := range names {
			if _, ok := blocks[name]; ok {
				shaders = append(shaders, name)
			}
		}
	}
	switch n := n.(type) {
	case *ast.CallExpr:
		signature, ok := info.TypeOf(n.Fun).(*types.Signature)
		if !ok {
			return nil, nil
		}
		for i, arg := range n.Args {
			shader(arg)
			if i < signature.Params().Len() && signature.Params().At(i).Name() == "push" {
				pushed = arg
			}
		}
	case *ast.CompositeLit:
		for _, e := range n.Elts {
			kv, ok := e.(*ast.KeyValueExpr)
			if !ok {
				return nil, nil
			}
			switch key, _ := kv.Key.(*ast.Ident); {
			case key == nil:
			case key.Name == "Shader":
				shader(kv.Value)
			case key.Name == "Push":
				pushed = kv.Value
			}
		}
	}
	return shaders, pushed
}

// structFields flattens a struct, nested structs and arrays included, into words as the engine writes them: one after the
// other.
func structFields(t types.Type) ([]field, bool) {
	if _, ok := t.Underlying().(*types.Struct); !ok {
		return nil, false
	}
	var fields []field
	var add func(name string, t types.Type)
	add = func(name string, t types.Type) {
		switch u := t.Underlying().(type) {
		case *types.Struct:
			for f := range u.Fields() {
				add(f.Name(), f.Type())
			}
		case *types.Array:
			for range u.Len() {
				add(name, u.Elem())
			}
		case *types.Basic:
			kind := map[types.BasicKind]string{types.Uint32: "uint", types.Int32: "int", types.Float32: "float"}[u.Kind()]
			if kind == "" {
				kind = u.String()
			}
			fields = append(fields, field{name, kind, 4 * len(fields)})
		default:
			fields = append(fields, field{name, u.String(), 4 * len(fields)})
		}
	}
	add("", t)
	return fields, true
}

// differ says how a Go struct departs from a block, "" if it does not.
func differ(have, want []field) string {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
	for i := range min(len(have), len(want)) {
		h, w := have[i], want[i]
		switch {
		case h.kind != w.kind:
			return fmt.Sprintf("word %d is %s %s, not %s %s", i, h.kind, h.name, w.kind, w.name)
		case plain(h.name) != plain(w.name):
			return fmt.Sprintf("word %d is called %s, not %s", i, h.name, w.name)
		case h.offset != w.offset:
			return fmt.Sprintf("%s lies at byte %d, not %d: pad the struct", h.name, h.offset, w.offset)
		}
	}
	if len(have) != len(want) {
		return fmt.Sprintf("%d words, not %d", len(have), len(want))
	}
	return ""
}
