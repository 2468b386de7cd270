// SPDX-License-Identifier: MIT

package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A world is what wrong calls are made with: two devices and a closed one, and of each thing one that is right and some that are not.
type world struct {
	d, other, gone *Device
	live           *Buffer
	wrong          map[string]Range // ranges that no command of d's programs takes
	closed         *Program
}

func newWorld(t *testing.T) *world {
	w := &world{d: testDevice(t), other: testDevice(t), gone: testDevice(t)}
	w.live = buffer(t, w.d, 4096)
	dead := buffer(t, w.d, 4096)
	lost := buffer(t, w.gone, 4096)
	w.wrong = map[string]Range{"no buffer": {}, "a closed buffer": dead.All(), "another device's": buffer(t, w.other, 4096).All(),
		"a closed device's": lost.All(), "another program's temporary": NewProgram(w.d, "another").Temp("temporary", 4096).All(),
		"an empty range": w.live.Range(256, 0)}
	dead.Close()
	w.gone.Close()
	w.closed = NewProgram(w.d, "closed")
	w.closed.Close()
	return w
}

// outcome is what came of a call: the panic's value, or the error.
func outcome(f func() error) (panicked any, err error) {
	defer func() { panicked = recover() }()
	return nil, f()
}

var numbers = regexp.MustCompile(`\d+`)

// TestWrongCalls draws wrong calls of every public function that takes a size, a range or a thing that can be closed. Each must panic
// with a text that begins with this file and a line, or come back as an error with what was asked and what is allowed; and what is
// right must still work after it.
func TestWrongCalls(t *testing.T) {
	w := newWorld(t)
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range wrongCalls {
			if !yield(name) {
				return
			}
		}
	})
	drawn := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		for i := range 8 {
			name := rapid.SampledFrom(names).Draw(t, fmt.Sprint("call ", i))
			call := wrongCalls[name](t, w)
			panicked, err := outcome(call)
			text, ok := panicked.(string)
			switch {
			case panicked == nil && err == nil:
				t.Fatalf("%s: it was accepted", name)
			case panicked != nil && (!ok || !strings.HasPrefix(text, "engine/misuse_test.go:") || !strings.Contains(text, ": engine: ")):
				t.Fatalf("%s: it panicked with %T %v", name, panicked, panicked)
			case panicked == nil && (!errors.As(err, new(*LimitError)) || len(numbers.FindAllString(err.Error(), -1)) < 2):
				t.Fatalf("%s: %v, a LimitError with both numbers wanted", name, err)
			}
			drawn[name]++
		}
		want := []byte(fmt.Sprintf("%08d", rapid.IntRange(0, 1e6).Draw(t, "right")))
		if err := w.d.Upload(w.live.Range(8, 8), want); err != nil {
			t.Fatal(err)
		}
		if got, err := w.d.Download(w.live.Range(8, 8)); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("after wrong calls %q came back as %q (%v)", want, got, err)
		}
	})
	calls := 0
	for _, n := range drawn {
		calls += n
	}
	t.Logf("%d wrong calls of %d kinds", calls, len(drawn))
	if calls < 500 {
		t.Errorf("%d wrong calls, at least 500 wanted", calls)
	}
}

// Sizes that no range of 4096 bytes has, each with an offset.
func beyond(t *rapid.T) (offset, size int64) {
	return drawPair(t, [][2]int64{{-1, 4}, {0, -4}, {0, 4097}, {4096, 1}, {4092, 8}, {5000, 0},
		{math.MaxInt64, 1}, {1, math.MaxInt64}, {math.MinInt64, 4}})
}

func drawPair(t *rapid.T, list [][2]int64) (a, b int64) {
	p := rapid.SampledFrom(list).Draw(t, "offset and size")
	return p[0], p[1]
}

func (w *world) wrongRange(t *rapid.T) Range {
	var names []string
	for name := range w.wrong {
		names = append(names, name)
	}
	slices.Sort(names)
	return w.wrong[rapid.SampledFrom(names).Draw(t, "range")]
}

// fresh returns a program, and its Build after record has run, so that what Build refuses counts.
func (w *world) recording(record func(p *Program)) func() error {
	return func() error {
		p := NewProgram(w.d, "wrong")
		defer p.Close()
		record(p)
		return p.Build()
	}
}

// launch returns what is right: y = two rows, a zero and x's (binding_test.go).
func (w *world) launch() Dispatch { return prependZeros(w.live.Range(0, 32), w.live.Range(256, 16)) }

// wrongCalls return a call that must be refused.
var wrongCalls = map[string]func(t *rapid.T, w *world) func() error{
	"Buffer.Range": func(t *rapid.T, w *world) func() error {
		offset, size := beyond(t)
		return func() error { w.live.Range(offset, size); return nil }
	},
	"Range.Sub": func(t *rapid.T, w *world) func() error {
		offset, size := beyond(t)
		r := rapid.SampledFrom([]Range{w.live.All(), w.live.Range(100, 50), {}}).Draw(t, "of")
		if r == (Range{}) {
			size = 1
		}
		return func() error { r.Sub(offset, size); return nil }
	},
	"All of nil": func(*rapid.T, *world) func() error { return func() error { (*Buffer)(nil).All(); return nil } },
	"Rows": func(t *rapid.T, w *world) func() error {
		r := rapid.SampledFrom([][4]int64{{-1, 4, 8, 2}, {0, 0, 8, 2}, {0, 4, 8, 0}, {0, 4, 8, -3}, {0, 9, 8, 2}, {0, 4, 8, 513},
			{4095, 4, 8, 1},
			{0, 1, math.MaxInt64, 2}, {math.MaxInt64, 1, 1, 1}, {0, math.MaxInt64, math.MaxInt64, 9}, {0, 4, 0, 2}, {0, 4, -8, 2}}).Draw(t,
			"rows")
		return func() error { Read(w.live.All()).Rows(r[0], r[1], r[2], r[3]); return nil }
	},
	"And": func(t *rapid.T, w *world) func() error {
		a := rapid.SampledFrom([]Binding{Read(w.live.All()), ReadWrite(w.live.All())}).Draw(t, "a")
		b := rapid.SampledFrom([]Binding{Read(w.live.All()), Write(w.live.Range(0, 8)), ReadWrite(w.live.All())}).Draw(t, "b")
		return func() error { a.And(b); return nil }
	},
	"NewBuffer": func(t *rapid.T, w *world) func() error {
		size := rapid.SampledFrom([]int64{0, -1, math.MinInt64, w.d.info.MaxAllocation + 1, 1 << 60, math.MaxInt64}).Draw(t, "size")
		d := rapid.SampledFrom([]*Device{w.d, w.gone}).Draw(t, "device")
		return func() error { _, err := d.NewBuffer("wrong", size); return err }
	},
	"NewProgram": func(t *rapid.T, w *world) func() error {
		d := rapid.SampledFrom([]*Device{nil, w.gone}).Draw(t, "device")
		return func() error { NewProgram(d, "wrong"); return nil }
	},
	"Temp": func(t *rapid.T, w *world) func() error {
		size := rapid.SampledFrom([]int64{0, -1, math.MinInt64, 1 << 60, math.MaxInt64}).Draw(t, "size")
		return w.recording(func(p *Program) { p.Fill(p.Temp("wrong", size).Range(0, 4), 0) })
	},
	"Fill": func(t *rapid.T, w *world) func() error {
		r := rapid.SampledFrom([]Range{w.live.Range(0, 6), w.live.Range(2, 4), w.wrongRange(t)}).Draw(t, "fill")
		return w.recording(func(p *Program) { p.Fill(r, 7) })
	},
	"Copy": func(t *rapid.T, w *world) func() error {
		a := w.live.Range(0, 512)
		var b Range
		switch rapid.IntRange(0, 3).Draw(t, "wrong") {
		case 0:
			b = w.wrongRange(t)
		case 1:
			b = w.live.Range(1024, rapid.Int64Range(1, 511).Draw(t, "size"))
		default:
			b = w.live.Range(rapid.Int64Range(0, 511).Draw(t, "offset"), 512)
		}
		if rapid.Bool().Draw(t, "turned") {
			a, b = b, a
		}
		return w.recording(func(p *Program) { p.Copy(a, b) })
	},
	"Dispatch": func(t *rapid.T, w *world) func() error {
		d := w.launch()
		switch rapid.IntRange(0, 11).Draw(t, "wrong") {
		case 0:
			d.Bind[rapid.IntRange(0, 3).Draw(t, "binding")] = Read(w.wrongRange(t))
		case 1:
			d.Bind[1] = Read(w.live.Range(rapid.Int64Range(1, 255).Draw(t, "offset"), 16))
		case 2:
			d.Bind = d.Bind[:rapid.IntRange(0, 3).Draw(t, "bindings")]
		case 3:
			d.Bind = []Binding{Nothing, Nothing, Nothing, Nothing}
		case 4:
			d.Bind[2] = Binding{}
		case 5:
			d.Groups[rapid.IntRange(0, 2).Draw(t, "dimension")] = rapid.IntRange(math.MinInt32, -1).Draw(t, "groups")
		case 6:
			d.Groups[rapid.IntRange(0, 2).Draw(t, "dimension")] = rapid.IntRange(65536, math.MaxInt64).Draw(t, "groups")
		case 7:
			d.Spec = make([]uint32, rapid.IntRange(33, 100).Draw(t, "constants"))
		case 8:
			d.Push = rapid.SampledFrom([]any{nil, "text", [33]uint32{}, [1]uint32{}, [3]byte{}, 7, struct{ P *int }{}}).Draw(t, "push")
		case 9:
			d.Spec[0] = 0
		case 10:
			d.Spec[0] = rapid.Uint32Range(uint32(w.d.info.MaxInvocations)+1, math.MaxUint32).Draw(t, "invocations")
		case 11:
			d.Shader = rapid.SampledFrom([]string{"", "nothing of this name", "../add"}).Draw(t, "shader")
		}
		return w.recording(func(p *Program) { p.Dispatch(d) })
	},
	"a binding larger than a device's": func(t *rapid.T, w *world) func() error {
		most, limit := w.d.info.MaxStorageBufferRange, rapid.Int64Range(1, 31).Draw(t, "limit")
		return func() error {
			w.d.info.MaxStorageBufferRange = limit
			defer func() { w.d.info.MaxStorageBufferRange = most }()
			return w.recording(func(p *Program) { p.Dispatch(w.launch()) })()
		}
	},
	"a temporary read before it is written": func(t *rapid.T, w *world) func() error {
		n := rapid.Int64Range(1, 127).Draw(t, "written words")
		return w.recording(func(p *Program) {
			x := p.Temp("x", 512)
			p.Fill(x.Range(0, 4*n), 0)
			p.Copy(w.live.Range(0, 512), x.All())
		})
	},
	"once built, closed": func(t *rapid.T, w *world) func() error {
		p := w.closed
		if rapid.Bool().Draw(t, "built") {
			p = NewProgram(w.d, "built")
			if err := p.Build(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.Close)
		}
		method := rapid.IntRange(0, 7).Draw(t, "method")
		return func() error {
			switch method {
			case 0:
				p.Dispatch(w.launch())
			case 1:
				p.Copy(w.live.Range(0, 4), w.live.Range(4, 4))
			case 2:
				p.Fill(w.live.All(), 0)
			case 3:
				p.Temp("late", 4)
			case 4:
				p.Profile()
			case 5:
				p.Choose("class", []string{"one", "two"})
			case 6:
				p.Fail(io.EOF)
			case 7:
				return p.Build()
			}
			return nil
		}
	},
	"run without Build": func(t *rapid.T, w *world) func() error {
		p := rapid.SampledFrom([]*Program{w.closed, NewProgram(w.d, "not built")}).Draw(t, "program")
		run := rapid.Bool().Draw(t, "Run")
		return func() error {
			if run {
				return p.Run()
			}
			_, err := p.Submit(nil, nil)
			return err
		}
	},
	"Timings": func(t *rapid.T, w *world) func() error {
		p := NewProgram(w.d, "timings")
		t.Cleanup(p.Close)
		if w.d.compute.stampBits > 0 && rapid.Bool().Draw(t, "profiled, not submitted") {
			p.Profile()
		}
		p.Fill(w.live.Range(1024, 4), 0)
		if err := p.Build(); err != nil {
			t.Fatal(err)
		}
		return func() error { _, err := p.Timings(); return err }
	},
	"Submit": func(t *rapid.T, w *world) func() error {
		p := NewProgram(w.d, "submit")
		t.Cleanup(p.Close)
		temp := p.Temp("temporary", 8)
		p.Fill(temp.All(), 0)
		if err := p.Build(); err != nil {
			t.Fatal(err)
		}
		wrong := rapid.SampledFrom([]Range{temp.All(), w.wrongRange(t)}).Draw(t, "place")
		data := make([]byte, wrong.size)
		fill := func([]byte) {}
		var writes []Update
		var reads []Range
		switch rapid.IntRange(0, 4).Draw(t, "wrong") {
		case 0:
			writes = []Update{{To: wrong, Data: data}}
		case 1:
			reads = []Range{w.live.Range(0, 4), wrong}
		case 2:
			writes = []Update{{To: w.live.Range(0, 8), Data: make([]byte, rapid.SampledFrom([]int{0, 7, 9, 8000}).Draw(t, "bytes"))}}
		case 3:
			writes = []Update{{To: w.live.Range(0, 8), Data: make([]byte, 8), Fill: fill}}
		case 4:
			writes = []Update{{To: wrong, Fill: fill}}
		}
		return func() error { _, err := p.Submit(writes, reads); return err }
	},
	"transfers": func(t *rapid.T, w *world) func() error {
		d := rapid.SampledFrom([]*Device{w.d, w.gone}).Draw(t, "device")
		r := w.wrongRange(t)
		method := rapid.IntRange(0, 4).Draw(t, "method")
		return func() error {
			switch method {
			case 0:
				return d.Upload(r, make([]byte, r.size))
			case 1:
				return d.Upload(w.live.Range(0, 8), make([]byte, 9))
			case 2:
				return d.UploadFrom(bytes.NewReader(make([]byte, 8000)), w.live.Range(1024, 4), r)
			case 3:
				return d.DownloadTo(io.Discard, w.live.Range(1024, 4), r)
			}
			_, err := d.Download(r)
			return err
		}
	},
	"a buffer closed too early": func(t *rapid.T, w *world) func() error {
		b, err := w.d.NewBuffer("short-lived", 256)
		if err != nil {
			t.Fatal(err)
		}
		p := NewProgram(w.d, "outlives")
		t.Cleanup(p.Close)
		p.Fill(b.All(), 0)
		built := rapid.Bool().Draw(t, "built before")
		if built {
			if err := p.Build(); err != nil {
				t.Fatal(err)
			}
		}
		b.Close()
		return func() error {
			if built {
				return p.Run()
			}
			return p.Build()
		}
	},
	"Once on a closed device": func(t *rapid.T, w *world) func() error {
		return func() error { return w.gone.Once("wrong", func(*Program) {}) }
	},
}

// TestDeviceClosedFirst: a device that is closed before its programs and submissions is found out by each, and takes no memory with it
// that a buffer's Close would miss.
func TestDeviceClosedFirst(t *testing.T) {
	d := testDevice(t)
	b := buffer(t, d, 256)
	p := NewProgram(d, "left over")
	p.Fill(b.All(), 1)
	if err := p.Build(); err != nil {
		t.Fatal(err)
	}
	s, err := p.Submit(nil, []Range{b.All()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Wait(); err != nil {
		t.Fatal(err)
	}
	p.Close()
	q := NewProgram(d, "never built")
	d.Close()
	d.KeepPipelines()
	b.Close()
	b.Close()
	if got, err := s.Wait(); err != nil || len(got) != 1 {
		t.Errorf("what was read is gone with the device: %v, %v", got, err)
	}
	for name, f := range map[string]func(){
		"Build": func() { _ = q.Build() }, "Fill": func() { q.Fill(b.All(), 0) }, "Run": func() { _ = p.Run() },
	} {
		if said := panicText(f); !strings.Contains(said, "engine/misuse_test.go:") {
			t.Errorf("%s: %q", name, said)
		}
	}
	q.Close()
}

// TestLine: the line in a message is that of the call, however deep in this package the mistake was found.
func TestLine(t *testing.T) {
	_, _, line, _ := runtime.Caller(0)
	said := panicText(func() { (&Buffer{label: "x", size: 16}).Range(8, 16) })
	want := fmt.Sprintf("engine/misuse_test.go:%d: engine: 16 bytes from 8 on do not lie inside the 16 bytes of x[0:16]", line+1)
	if said != want {
		t.Errorf("got  %s\nwant %s", said, want)
	}
}
