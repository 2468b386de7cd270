// SPDX-License-Identifier: MIT

package engine

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// prependZeros is a launch that uses two of its four bindings: y (2 rows of 4 floats) is a zero row, then x's.
func prependZeros(y, x Range) Dispatch {
	return Dispatch{Shader: "prependtokens", Spec: []uint32{4, 1, 1, 0}, Groups: [3]int{2},
		Push: struct{ Rows, Tokens, Added, Width, Blocks uint32 }{2, 2, 1, 4, 1}, Bind: []Binding{Write(y), Read(x), Nothing, Nothing}}
}

func TestNothing(t *testing.T) {
	d := testDevice(t)
	x, y := buffer(t, d, 16).All(), buffer(t, d, 32).All()
	want := append(make([]byte, 16), "sixteen bytes, x"...)
	if err := d.Upload(x, want[16:]); err != nil {
		t.Fatal(err)
	}
	p := NewProgram(d, "nothing")
	defer p.Close()
	launch := prependZeros(y, x)
	p.Dispatch(launch)
	if launch.Bind[2] != Nothing {
		t.Error("the caller's bindings were changed")
	}
	c := p.commands[0]
	if c.Bind[2].Range != y || !c.Bind[2].read.none() || !c.Bind[2].write.none() || c.bytes != 48 {
		t.Errorf("%+v of %g bytes stands in for Nothing; the written range is to, and not to count", c.Bind[2], c.bytes)
	}
	if err := p.Build(); err != nil {
		t.Fatal(err)
	}
	if got := run(t, p, nil, []Range{y})[0]; !bytes.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestNothingReadsNothing checks that what stands in for Nothing counts neither as read, of a temporary that nothing has written,
// nor as written.
func TestNothingReadsNothing(t *testing.T) {
	d, err := Open(Options{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	p := NewProgram(d, "nothing")
	x, y := buffer(t, d, 16).All(), p.Temp("y", 32).All()
	p.Dispatch(prependZeros(y, x))
	p.Copy(buffer(t, d, 32).All(), y)
	if err := p.Build(); err != nil {
		t.Error(err)
	}
	for name, bind := range map[string][]Binding{
		"nothing": nil, "Nothing alone": {Nothing, Nothing}, "a binding of no range": {Write(x), {}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			q := NewProgram(d, name)
			q.Dispatch(Dispatch{Shader: "x", Bind: bind})
		}()
	}
}

// TestPartialWrites checks that what is read of a temporary was written to the byte: parts count as parts, and as the whole once
// they are together.
func TestPartialWrites(t *testing.T) {
	d, err := Open(Options{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	out := buffer(t, d, 4096)
	third := func(b Binding, i int64) Binding { return b.Rows(64*i, 64, 192, 4) } // of four rows (q | k | v)
	for name, c := range map[string]struct {
		writes []func(x Range) Binding
		read   func(x Range) Binding
		wrong  string
	}{
		"a half": {[]func(x Range) Binding{func(x Range) Binding { return Write(x).Rows(0, 384, 384, 1) }}, Read, "from 384 to 767"},
		"the columns between": {[]func(x Range) Binding{
			func(x Range) Binding { return third(Write(x), 0) }, func(x Range) Binding { return third(Write(x), 2) }}, Read,
			"from 64 to 127"},
		"other columns": {[]func(x Range) Binding{func(x Range) Binding { return third(Write(x), 0) }},
			func(x Range) Binding { return third(Read(x), 1) }, "from 64 to 127"},
		"what it writes itself": {[]func(x Range) Binding{func(x Range) Binding { return third(Write(x), 0) }},
			func(x Range) Binding { return third(Read(x), 1).And(third(Write(x), 1)) }, "from 64 to 127"},
		"the same columns": {[]func(x Range) Binding{func(x Range) Binding { return third(Write(x), 1) }},
			func(x Range) Binding { return third(Read(x), 1) }, ""},
		"values, then gates": {[]func(x Range) Binding{func(x Range) Binding { return third(Write(x), 1) }},
			func(x Range) Binding { return third(Read(x), 1).And(third(Write(x), 0)) }, ""},
		"all thirds": {[]func(x Range) Binding{
			func(x Range) Binding { return third(Write(x), 0) }, func(x Range) Binding { return third(Write(x), 2) },
			func(x Range) Binding { return third(Write(x), 1) }}, Read, ""},
	} {
		p := NewProgram(d, name)
		x := p.Temp("x", 768).All()
		for _, w := range c.writes {
			p.Dispatch(Dispatch{Shader: "writer", Bind: []Binding{w(x)}})
		}
		p.Dispatch(Dispatch{Shader: "reader", Bind: []Binding{c.read(x), Write(out.All())}})
		if said := panicText(func() { p.place() }); (said == "") != (c.wrong == "") || !strings.Contains(said, c.wrong) {
			t.Errorf("%s: %q, want %q", name, said, c.wrong)
		}
	}
}

// panicText returns what f panics with, "" if it does not.
func panicText(f func()) (said string) {
	defer func() {
		if r := recover(); r != nil {
			said = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}

func TestWrongRows(t *testing.T) {
	x := (&Buffer{label: "x", size: 4096}).Range(256, 1000)
	for name, f := range map[string]func(){
		"before the range":  func() { Read(x).Rows(-4, 8, 8, 1) },
		"past its end":      func() { Read(x).Rows(0, 10, 100, 11) },
		"by a byte":         func() { Read(x).Rows(91, 10, 100, 10) },
		"no rows":           func() { Read(x).Rows(0, 10, 100, 0) },
		"no width":          func() { Read(x).Rows(0, 0, 100, 1) },
		"rows that overlap": func() { Read(x).Rows(0, 10, 9, 2) },
		"beyond any number": func() { Read(x).Rows(0, 1, 1<<62, 1<<62) },
		"two reads":         func() { Read(x).And(Read(x)) },
		"of two ranges":     func() { Read(x).And(Write(x.Sub(0, 4))) },
		"another write":     func() { ReadWrite(x).And(Write(x)) },
	} {
		if said := panicText(f); !strings.Contains(said, "x[256:1256]") {
			t.Errorf("%s: %q", name, said)
		}
	}
	if b := Read(x).Rows(90, 10, 100, 10); b.read != (rows{90, 10, 100, 10}) || !b.write.none() {
		t.Errorf("%+v", b)
	}
}
