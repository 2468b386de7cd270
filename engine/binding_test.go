// SPDX-License-Identifier: MIT

package engine

import (
	"bytes"
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
	if c.Bind[2].Range != y || c.Bind[2].read || c.Bind[2].write || c.bytes != 48 {
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
	for name, bind := range map[string][]Binding{"nothing": nil, "Nothing alone": {Nothing, Nothing}, "a binding of no range": {Write(x), {}}} {
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
