// SPDX-License-Identifier: MIT

package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	vk "github.com/vulkan-go/vulkan"

	"jitvk/shaders"
)

func testDevice(t testing.TB) *Device {
	t.Helper()
	d, err := Open(Options{Select: os.Getenv("JITVK_DEVICE")})
	if errors.Is(err, ErrNoDriver) && os.Getenv("REQUIRE_GPU") != "1" {
		t.Skipf("no Vulkan device: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func TestMain(m *testing.M) {
	flag.Set("rapid.nofailfile", "true") // what it would write is not for the repository
	code := m.Run()
	for _, msg := range ValidationMessages() {
		fmt.Fprintln(os.Stderr, "validation:", msg)
		code = 1
	}
	os.Exit(code)
}

func buffer(t testing.TB, d *Device, size int64) *Buffer {
	t.Helper()
	b, err := d.NewBuffer(t.Name(), size)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func run(t testing.TB, p *Program, writes []Update, reads []Range) [][]byte {
	t.Helper()
	s, err := p.Submit(writes, reads)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestUploadDownload(t *testing.T) {
	d := testDevice(t)
	data := make([]byte, transferBytes+1000) // more than one piece
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	b := buffer(t, d, int64(len(data)))
	if err := d.Upload(b.All(), data); err != nil {
		t.Fatal(err)
	}
	got, err := d.Download(b.All())
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes came back changed (%v)", len(data), err)
	}
	part, err := d.Download(b.Range(512, 8))
	if err != nil || !bytes.Equal(part, data[512:520]) {
		t.Fatalf("part: %v, want %v (%v)", part, data[512:520], err)
	}
}

// TestTransfersOfManyRanges moves ranges of several buffers, longer and shorter than what is staged at a time, through a reader and
// a writer, with both of a program's slots under way; and stops where the reader or the writer fails.
func TestTransfersOfManyRanges(t *testing.T) {
	d := testDevice(t)
	var ranges []Range
	var want []byte
	for i, size := range []int64{8, 3 * transferBytes, 1000, transferBytes - 256, 1 << 20, 4} {
		ranges = append(ranges, buffer(t, d, size+64).Range(32, size))
		for j := range size {
			want = append(want, byte(j>>8)+byte(j)*3+byte(i))
		}
	}
	if err := d.UploadFrom(bytes.NewReader(want), ranges...); err != nil {
		t.Fatal(err)
	}
	got := new(bytes.Buffer)
	if err := d.DownloadTo(got, ranges...); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Fatalf("%d of %d bytes came back, or changed (%v)", got.Len(), len(want), err)
	}
	at := 0
	for _, r := range ranges {
		one, err := d.Download(r)
		if err != nil || !bytes.Equal(one, want[at:at+len(one)]) {
			t.Fatalf("%v came back changed (%v)", r, err)
		}
		at += len(one)
	}
	before := d.Stats().Bytes
	if err := d.UploadFrom(bytes.NewReader(want[:len(want)-1]), ranges...); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a reader that ends too soon: %v", err)
	}
	if err := d.DownloadTo(full{}, ranges...); !errors.Is(err, io.ErrShortBuffer) {
		t.Errorf("a writer that fails: %v", err)
	}
	if now := d.Stats().Bytes; now != before {
		t.Errorf("%d bytes of staging memory are still there", now-before)
	}
}

// full is a writer that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortBuffer }

// TestReplay replays one program many times with other data and checks that writes, commands and reads keep their order
// with two submissions under way.
func TestReplay(t *testing.T) {
	d := testDevice(t)
	in, out := buffer(t, d, 1024), buffer(t, d, 1024)
	p := NewProgram(d, "replay")
	tmp := p.Temp("tmp", 1024).All()
	p.Copy(tmp, in.All())
	p.Fill(tmp.Sub(0, 4), 42)
	p.Copy(out.All(), tmp)
	if err := p.Build(); err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var subs []*Submission
	for i := range 20 {
		s, err := p.Submit([]Update{{To: in.All(), Data: bytes.Repeat([]byte{byte(i)}, 1024)}}, []Range{out.All()})
		if err != nil {
			t.Fatal(err)
		}
		subs = append(subs, s)
	}
	for i, s := range subs {
		got, err := s.Wait()
		if err != nil {
			t.Fatal(err)
		}
		want := bytes.Repeat([]byte{byte(i)}, 1024)
		binary.LittleEndian.PutUint32(want, 42)
		if !bytes.Equal(got[0], want) {
			t.Fatalf("replay %d: got %v…, want %v…", i, got[0][:8], want[:8])
		}
	}
}

// TestFill: what Fill writes arrives like Data, is taken before Submit returns, and lies where no other write does.
func TestFill(t *testing.T) {
	d := testDevice(t)
	a, b, c := buffer(t, d, 300), buffer(t, d, 300), buffer(t, d, 300) // sizes that the staging memory rounds up
	p := NewProgram(d, "fill")
	defer p.Close()
	if err := p.Build(); err != nil {
		t.Fatal(err)
	}
	same := func(v byte) []byte { return bytes.Repeat([]byte{v}, 300) }
	var subs []*Submission
	for i := range byte(4) {
		source, calls := same(3*i), 0
		s, err := p.Submit([]Update{{To: a.All(), Fill: func(dst []byte) {
			if calls++; len(dst) != 300 || cap(dst) != 300 {
				t.Errorf("Fill has %d bytes, %d to append to", len(dst), cap(dst))
			}
			copy(dst, source)
		}}, {To: b.All(), Data: same(3*i + 1)}, {To: c.All(), Fill: func(dst []byte) { copy(dst, same(3*i+2)) }}},
			[]Range{a.All(), b.All(), c.All()})
		if err != nil || calls != 1 {
			t.Fatalf("%d calls of Fill (%v)", calls, err)
		}
		clear(source)
		subs = append(subs, s)
	}
	for i, s := range subs {
		got, err := s.Wait()
		if err != nil {
			t.Fatal(err)
		}
		for j := range 3 {
			if want := same(byte(3*i + j)); !bytes.Equal(got[j], want) {
				t.Errorf("submission %d, write %d: got %v…, want %v…", i, j, got[j][:4], want[:4])
			}
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("Data beside Fill: no panic")
		}
	}()
	p.Submit([]Update{{To: a.All(), Data: same(0), Fill: func([]byte) {}}}, nil)
}

// TestPlacement draws random programs and checks what place promises: temporaries that live at once do not overlap,
// none lies across a cut of the arena, and memory is no more than the sum of all.
func TestPlacement(t *testing.T) {
	d, err := Open(Options{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	d.info.MaxAllocation = 64 << 10
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		p := NewProgram(d, "random")
		type life struct{ first, last int }
		lives := map[*Buffer]*life{}
		var live []*Buffer
		sum := int64(0)
		for i := range 60 {
			if len(live) == 0 || r.IntN(2) == 0 {
				b := p.Temp("t", 4*(1+r.Int64N(16000)))
				sum += alignUp(b.size)
				lives[b] = &life{i, i}
				live = append(live, b)
				p.Fill(b.All(), 0)
			} else {
				b := live[r.IntN(len(live))]
				lives[b].last = i
				p.Fill(b.All(), 1)
			}
		}
		p.schedule()
		size, limit := p.place()
		if size > sum+limit*(sum/limit+1) {
			t.Fatalf("seed %d: arena of %d bytes for %d bytes of temporaries", seed, size, sum)
		}
		for a, la := range lives {
			if a.offset/limit != (a.offset+a.size-1)/limit || a.offset%align != 0 || a.offset+a.size > size {
				t.Fatalf("seed %d: [%d,%d) crosses a cut at %d or the end %d", seed, a.offset, a.offset+a.size, limit, size)
			}
			for b, lb := range lives {
				if a != b && la.first <= lb.last && lb.first <= la.last && a.offset < b.offset+b.size && b.offset < a.offset+a.size {
					t.Fatalf("seed %d: %v [%d,%d) and %v [%d,%d) overlap", seed, *la, a.offset, a.offset+a.size, *lb, b.offset,
						b.offset+b.size)
				}
			}
		}
	}
}

// TestBarriers: a barrier stands where commands must wait, and orders those kinds of work that lie around it and no others.
func TestBarriers(t *testing.T) {
	d := dry(t)
	a, b, c, e := buffer(t, d, 256).All(), buffer(t, d, 256).All(), buffer(t, d, 256).All(), buffer(t, d, 256).All()
	p := NewProgram(d, "hazards")
	launch := func(to, from Range) { p.Dispatch(Dispatch{Shader: "x", Bind: []Binding{Write(to), Read(from)}}) }
	p.Fill(a, 0)                           // 0
	p.Fill(b, 0)                           // 1: independent
	p.Copy(c, a)                           // 2: reads what 0 wrote
	p.Fill(a.Sub(0, 4), 1)                 // 3: writes what 2 read
	p.Copy(b.Sub(0, 128), a.Sub(128, 128)) // 4: other bytes of a
	launch(b, c)                           // 5: writes what 4 wrote
	launch(c, b)                           // 6: reads what 5 wrote
	p.Fill(a, 3)                           // 7: independent
	launch(a, e)                           // 8: writes what 7 wrote
	p.synchronize()
	want := []barrier{2: {transfer, transfer}, 3: {transfer, transfer}, 5: {transfer, compute}, 6: {compute, compute | transfer},
		8: {compute | transfer, compute}}
	wants := 0
	for i, w := range want {
		if got := p.commands[i].barrier; got != w {
			t.Errorf("command %d: barrier %#x, want %#x", i, got, w)
		}
		if w != (barrier{}) {
			wants++
		}
	}
	if plan := p.Plan(); plan.Barriers != wants || len(plan.Commands) != len(want) || plan.Commands[1] != (Cost{"fill", 0, 256}) {
		t.Errorf("%+v", plan)
	}
	p.dev.wide = true
	p.synchronize()
	if got := p.commands[6].barrier; got != wide {
		t.Errorf("wide: %#x", got)
	}
}

func dry(t *testing.T) *Device {
	t.Helper()
	d, err := Open(Options{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestSchedule draws random programs and checks what schedule promises: nothing is lost, commands that depend on each other keep their
// order, no two of a group do, and none of them needs a barrier where the plan has none, temporaries that share memory included.
func TestSchedule(t *testing.T) {
	d := dry(t)
	grouped, barriers, recorded := 0, 0, 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := NewProgram(d, "random")
		var written []Range
		for len(p.commands) < 60 {
			if x := p.Temp("t", 256*(1+r.Int64N(8))).All(); len(written) == 0 || r.IntN(3) == 0 {
				p.Fill(x, uint32(len(p.commands)))
				written = append(written, x)
			} else {
				from, to := written[r.IntN(len(written))], written[r.IntN(len(written))]
				n := 4 * (1 + r.Int64N(min(from.size, to.size)/8))
				p.Dispatch(Dispatch{Shader: "x", Push: [1]uint32{uint32(len(p.commands))},
					Bind: []Binding{Write(to.Sub(0, n)), Read(from.Sub(from.size/512*256, 4))}})
			}
		}
		before := slices.Clone(p.commands)
		number := func(c *command) int {
			return slices.IndexFunc(before, func(o command) bool { return o.word == c.word && slices.Equal(o.push, c.push) })
		}
		p.dev.inOrder = true
		if err := p.Build(); err != nil {
			t.Fatal(err)
		}
		recorded += p.Plan().Barriers
		p.dev.inOrder, p.built, p.commands = false, false, slices.Clone(before)
		if err := p.Build(); err != nil {
			t.Fatal(err)
		}
		barriers += p.Plan().Barriers
		grouped += p.commands[len(p.commands)-1].group
		seen := map[int]bool{}
		for i := range p.commands {
			x := &p.commands[i]
			seen[number(x)] = true
			for j := range i {
				y := &p.commands[j]
				var u usage
				u.add(y)
				if u.conflicts(x) && (number(y) > number(x) || y.group == x.group) {
					t.Fatalf("seed %d: %d of group %d comes before %d of group %d, which depend on each other", seed, number(y), y.group,
						number(x), x.group)
				}
			}
		}
		if len(seen) != len(before) {
			t.Fatalf("seed %d: %d of %d commands are there", seed, len(seen), len(before))
		}
	}
	if barriers != grouped || 4*barriers > 3*recorded {
		t.Errorf("%d barriers between %d groups; %d in the order of recording", barriers, grouped, recorded)
	}
}

// TestPieces: pieces take no longer than a submission may, by the pace that is assumed or that a replay has shown.
func TestPieces(t *testing.T) {
	d := dry(t)
	d.info.Type, d.submission = "discrete", time.Second/4
	p := NewProgram(d, "pieces")
	x := buffer(t, d, 4*100).All()
	for i := range 100 {
		p.Dispatch(Dispatch{Shader: "x", FLOPs: 1e9, Bind: []Binding{Write(x.Sub(0, 4*int64(i+1)))}})
	}
	if err := p.Build(); err != nil {
		t.Fatal(err)
	}
	count := func() int { return len(p.cuts) - 1 }
	if got := count(); got != 3 { // 100 GFLOP, 49 at a time: bytes count a little
		t.Errorf("nothing measured: %d submissions", got)
	}
	for _, c := range []struct {
		took time.Duration
		cut  bool
		want int
	}{{10 * time.Second, true, 50}, {20 * time.Second, false, 50}, {9 * time.Second, false, 50}, {2 * time.Second, true, 9},
		{time.Second / 10, true, 1}, {time.Second / 100, false, 1}, {time.Second, false, 1}, {0, false, 1}} {
		if cut := p.replayed(c.took); cut != c.cut || count() != c.want {
			t.Errorf("a replay of %v: other cuts %v, %d submissions, want %v, %d", c.took, cut, count(), c.cut, c.want)
		}
	}
	if got := []int{p.Submissions(100e12), p.Submissions(1e9)}; !slices.Equal(got, []int{1, 100}) {
		t.Errorf("at 100 TFLOP/s and at 1 GFLOP/s: %v submissions", got)
	}
	if d.submission = 0; p.Submissions(100e12) != 100 {
		t.Error("no time for a submission: each command is one")
	}
	d.info.Type, d.submission = "cpu", time.Second
	if p.replayed(time.Microsecond) {
		t.Error("a CPU driver has no watchdog")
	}
}

// TestCutKeepsEveryCommand replays a program in as many submissions as there are commands, then, as that is known to be fast, in one.
func TestCutKeepsEveryCommand(t *testing.T) {
	d := testDevice(t)
	d.info.Type = "discrete" // cuts by what was measured
	b := buffer(t, d, 4*10)
	p := NewProgram(d, "cut")
	for i := range int64(10) {
		p.Fill(b.Range(4*i, 4), uint32(i))
		p.commands[i].FLOPs = assumedPace // each alone
	}
	if err := p.Build(); err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, pieces := range []int{10, 1, 1} {
		got := run(t, p, []Update{{To: b.All(), Data: make([]byte, 40)}}, []Range{b.All()})[0]
		if len(p.buffers) != pieces {
			t.Errorf("%d submissions, want %d", len(p.buffers), pieces)
		}
		for i := range 10 {
			if got[4*i] != byte(i) {
				t.Fatalf("word %d is %d", i, got[4*i])
			}
		}
	}
}

func TestExperiments(t *testing.T) {
	const s = defaultSubmission
	for env, want := range map[string]experiments{"": {false, false, s}, "JITVK_BARRIERS=wide": {true, false, s},
		"JITVK_BARRIERS=narrow": {false, false, s}, "JITVK_ORDER=recorded": {false, true, s}, "JITVK_SUBMIT=0": {},
		"JITVK_SUBMIT=1.5": {submission: 1500 * time.Millisecond}} {
		name, value, _ := strings.Cut(env, "=")
		t.Run(env, func(t *testing.T) {
			if name != "" {
				t.Setenv(name, value)
			}
			if got := dry(t).experiments; got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
	for _, env := range []string{"JITVK_BARRIERS=Wide", "JITVK_ORDER=x", "JITVK_SUBMIT=1s", "JITVK_SUBMIT=-1", "JITVK_SUBMIT=NaN"} {
		name, value, _ := strings.Cut(env, "=")
		t.Run(env, func(t *testing.T) {
			t.Setenv(name, value)
			if _, err := Open(Options{DryRun: true}); err == nil || !strings.Contains(err.Error(), env) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestMemoryIsGivenBack(t *testing.T) {
	d := testDevice(t)
	r := rand.New(rand.NewPCG(1, 2))
	var live []*Buffer
	for range 2000 {
		if len(live) > 0 && r.IntN(5) < 2 {
			i := r.IntN(len(live))
			live[i].Close()
			live[i] = live[len(live)-1]
			live = live[:len(live)-1]
		} else if len(live) < 100 {
			live = append(live, buffer(t, d, 1+r.Int64N(1<<20)))
		}
		for i, a := range live {
			for _, b := range live[:i] {
				if a.block == b.block && a.offset < b.offset+b.size && b.offset < a.offset+a.size {
					t.Fatalf("buffers [%d,%d) and [%d,%d) overlap", a.offset, a.offset+a.size, b.offset, b.offset+b.size)
				}
			}
		}
	}
	for _, b := range live {
		b.Close()
	}
	if s := d.Stats(); s.Buffers != 0 || s.Bytes != 0 {
		t.Fatalf("after closing all: %+v", s)
	}
	for _, b := range d.heaps[0].blocks {
		if len(b.free) != 1 || b.free[0].size != b.size {
			t.Fatalf("block of %d bytes is in pieces: %v", b.size, b.free)
		}
	}
}

func TestTooLarge(t *testing.T) {
	d := testDevice(t)
	if _, err := d.NewBuffer("huge", 1<<50); !errors.Is(err, ErrOutOfMemory) || !errors.As(err, new(*LimitError)) {
		t.Fatalf("got %v", err)
	}
}

func TestChoose(t *testing.T) {
	infos := []Info{{Index: 0, Name: "Big GPU 2080"}, {Index: 1, Name: "llvmpipe"}}
	for selection, want := range map[string]int{"": 0, "1": 1, "LLVM": 1, "big": 0, "2080": 0} {
		if got, err := choose(infos, selection); got != want || err != nil {
			t.Errorf("%q: %d, %v", selection, got, err)
		}
	}
	if _, err := choose(infos, "2"); !errors.Is(err, ErrNoDevice) || !strings.Contains(err.Error(), "Big GPU") {
		t.Errorf("got %v", err)
	}
}

func TestResultErrors(t *testing.T) {
	for code, want := range map[int32]error{-1: ErrOutOfMemory, -2: ErrOutOfMemory, -4: ErrDeviceLost, -7: ErrUnsupported,
		-9: ErrNoDriver} {
		if err := resultError("vkX", code); !errors.Is(err, want) {
			t.Errorf("%d: %v", code, err)
		}
	}
	if err := resultError("vkX", 0); err != nil {
		t.Error(err)
	}
}

func TestMisusePanics(t *testing.T) {
	d, err := Open(Options{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	other, err := Open(Options{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	b, foreign := buffer(t, d, 1024), buffer(t, other, 1024)
	p := NewProgram(d, "misuse")
	for name, f := range map[string]func(){
		"range past the end":  func() { b.Range(1000, 100) },
		"unaligned binding":   func() { p.Dispatch(Dispatch{Shader: "x", Bind: []Binding{Read(b.Range(4, 4))}}) },
		"too many groups":     func() { p.Dispatch(Dispatch{Shader: "x", Groups: [3]int{70000}}) },
		"push constants":      func() { p.Dispatch(Dispatch{Shader: "x", Push: [200]uint32{}}) },
		"sizes of a copy":     func() { p.Copy(b.Range(0, 4), b.Range(256, 8)) },
		"read before written": func() { q := NewProgram(d, "q"); q.Copy(b.Range(0, 4), q.Temp("t", 4).All()); q.place() },
		"read of the unwritten": func() {
			q := NewProgram(d, "q")
			x := q.Temp("t", 512).All()
			q.Fill(x.Sub(0, 256), 0)
			q.Copy(b.Range(0, 300), x.Sub(0, 300))
			q.place()
		},
		"memory of another device": func() { p.Fill(foreign.All(), 0) },
		"temporary of another":     func() { q := NewProgram(d, "q"); q.Fill(p.Temp("t", 4).All(), 0); q.place() },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// TestReopen opens two devices side by side and one after another: the instance and its functions serve all of them.
func TestReopen(t *testing.T) {
	for range 3 {
		a, b := testDevice(t), testDevice(t)
		for _, d := range []*Device{a, b} {
			x := buffer(t, d, 4)
			if err := d.Upload(x.All(), []byte{1, 2, 3, 4}); err != nil {
				t.Fatal(err)
			}
			if got, err := d.Download(x.All()); err != nil || !bytes.Equal(got, []byte{1, 2, 3, 4}) {
				t.Fatalf("%v (%v)", got, err)
			}
		}
		a.Close()
		a.Close() // twice is once
	}
}

// TestClosedProgram checks that results outlive their program and that what is closed or failed cannot be submitted.
func TestClosedProgram(t *testing.T) {
	d := testDevice(t)
	b := buffer(t, d, 256)
	p := NewProgram(d, "closed")
	p.Fill(b.All(), 0x05050505)
	if err := p.Build(); err != nil {
		t.Fatal(err)
	}
	s, err := p.Submit(nil, []Range{b.Range(0, 2)})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	p.Close()
	for range 2 {
		if got, err := s.Wait(); err != nil || !bytes.Equal(got[0], []byte{5, 5}) {
			t.Fatalf("%v (%v)", got, err)
		}
	}

	d.info.MaxAllocation = 1 << 20 // the third temporary does not fit into one piece
	before := d.Stats()
	q := NewProgram(d, "too large")
	for _, n := range []int64{1 << 20, 1 << 20, 1<<20 + 1} {
		q.Fill(q.Temp("t", (n+3)/4*4).All(), 0)
	}
	if err := q.Build(); !errors.Is(err, ErrOutOfMemory) || d.Stats() != before {
		t.Fatalf("%v; memory %+v, before %+v", err, d.Stats(), before)
	}
	for name, p := range map[string]*Program{"closed": p, "failed": q} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: Submit: no panic", name)
				}
			}()
			p.Submit(nil, nil)
		}()
	}
	q.Close()
}

func TestTimings(t *testing.T) {
	d := testDevice(t)
	b := buffer(t, d, 1<<20)
	p := NewProgram(d, "timed")
	p.Profile()
	defer p.Close()
	p.Fill(b.All(), 1)
	p.Fill(b.All(), 2)
	if err := p.Build(); errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	run(t, p, nil, nil)
	timings, err := p.Timings()
	if err != nil || len(timings) != 2 {
		t.Fatalf("%v (%v)", timings, err)
	}
	for _, x := range timings {
		if x.Time < 0 || x.Time > time.Minute {
			t.Errorf("a fill of 1 MiB took %v", x.Time)
		}
	}
}

func TestTraffic(t *testing.T) {
	b := &Buffer{size: 1 << 20}
	x, y := b.Range(0, 3000), b.Range(4096, 1000)
	for _, c := range []struct {
		bind []Binding
		want float64
	}{
		{[]Binding{Read(x), Write(y)}, 4000},
		{[]Binding{ReadWrite(x)}, 6000},
		{[]Binding{Write(x), Read(x)}, 6000}, // in place
		// q, k and v
		{[]Binding{Read(x).Rows(0, 10, 30, 100), Read(x).Rows(10, 10, 30, 100), Read(x).Rows(20, 10, 30, 100), Write(y)}, 4000},
		// bound again
		{[]Binding{Read(x), Read(x), Write(y), {Range: y}}, 4000},
		// in part the same
		{[]Binding{Read(x), Read(b.Range(1000, 3000))}, 4000},
		{[]Binding{Read(x).Rows(0, 10, 20, 100).And(Write(x).Rows(10, 10, 20, 100))}, 2000},
	} {
		if got := traffic(c.bind); got != c.want {
			t.Errorf("%v: %g bytes, %g wanted", c.bind, got, c.want)
		}
	}
}

// TestMemoryTypes checks the choice on a list like those of GPUs, in a harder order: heap 1 is the host's, heap 2 the window
// that the host has on the device's.
func TestMemoryTypes(t *testing.T) {
	const (
		local    = deviceLocal
		coherent = hostVisible | hostCoherent
		cached   = hostCached
		amd      = memoryFlags(0x40) // device-coherent: needs a feature
	)
	heaps := []int64{16 << 30, 32 << 30, 256 << 20}
	list := []memoryType{{0, 1}, {local | coherent, 2}, {local, 0},
		{coherent, 1}, {coherent | cached, 1}, {local | amd, 0}}
	for _, test := range []struct {
		kind         string
		device, host []uint32
	}{
		{"discrete", []uint32{2, 1}, []uint32{4, 1, 3}},
		{"integrated", []uint32{2, 1, 0, 3, 4}, []uint32{4, 1, 3}},
	} {
		d := &Device{memory: memoryMap{list, heaps}, info: Info{Type: test.kind}}
		if got := (&heap{dev: d}).types(^uint32(0)); !slices.Equal(got, test.device) {
			t.Errorf("%s: device memory from types %v, want %v", test.kind, got, test.device)
		}
		if got := (&heap{dev: d, host: true}).types(^uint32(0)); !slices.Equal(got, test.host) {
			t.Errorf("%s: host memory from types %v, want %v", test.kind, got, test.host)
		}
	}
}

func TestCapabilities(t *testing.T) {
	type want struct {
		operations uint32
		matrix     bool
	}
	// 1 basic, 4 arithmetic, 8 ballot
	for name, want := range map[string]want{"add": {}, "rmsnorm_fwd": {1 | 4, false}, "attention/01_narrow_fwd": {1 | 8, false},
		"matmul/05_coopmat": {1, true}} {
		code, ok := shaders.SPIRV(name)
		if operations, matrix := capabilities(code); !ok || operations != want.operations || matrix != want.matrix {
			t.Errorf("%s: %#x, %v, want %v", name, operations, matrix, want)
		}
	}
	d := testDevice(t)
	d.info.subgroupOperations = 0
	if err := d.makePipelines([]command{{Dispatch: Dispatch{Shader: "rmsnorm_fwd", Bind: make([]Binding, 4)}}}); !errors.Is(err,
		ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

// TestValidationSeesMissingBarriers plants what the validation layer is there to find, in processes of their own, so
// that its silence about everything else means something.
func TestValidationSeesMissingBarriers(t *testing.T) {
	if os.Getenv("JITVK_VALIDATE") != "1" {
		t.Skip("JITVK_VALIDATE=1 runs it")
	}
	plant := os.Getenv("JITVK_TEST_PLANT")
	if plant == "" {
		for _, plant := range []string{"in a command buffer", "between submissions", "of its kind"} {
			c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
			c.Env = append(os.Environ(), "JITVK_TEST_PLANT="+plant)
			if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "SYNC-HAZARD") {
				t.Errorf("missing barrier %s: not reported (%v)\n%s", plant, err, out)
			}
		}
		return
	}
	d := testDevice(t)
	a, b := buffer(t, d, 256), buffer(t, d, 256)
	p := NewProgram(d, plant)
	p.Fill(a.All(), 1)
	p.Copy(b.All(), a.All())
	switch plant {
	case "between submissions":
		p.commands[0].FLOPs = assumedPace
	case "of its kind":
		p.commands[1].barrier = barrier{compute, compute}
	}
	p.cut() // Build, but for synchronize
	p.built = true
	defer p.Close()
	if err := p.record(); err != nil {
		t.Fatal(err)
	}
	run(t, p, nil, nil)
}

// BenchmarkRecord is why it is so: commands are recorded by the C shim. One dispatch costs a barrier, a
// descriptor set bound, push constants and the dispatch.
func BenchmarkRecord(b *testing.B) {
	d := testDevice(b)
	cbs, err := d.compute.commandBuffers(1)
	if err != nil {
		b.Fatal(err)
	}
	cb := cbs[0]
	const n = 1000
	b.Run("shim", func(b *testing.B) {
		cmds := barriers(n)
		for b.Loop() {
			if err := d.recordInto(cb, cmds); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/command")
	})
	b.Run("vulkan-go", func(b *testing.B) {
		cb := vk.CommandBuffer(cb)
		if err := d.instance.setUp(func() error { return nil }); err != nil { // its functions are this instance's
			b.Fatal(err)
		}
		for b.Loop() {
			vk.BeginCommandBuffer(cb, &vk.CommandBufferBeginInfo{SType: vk.StructureTypeCommandBufferBeginInfo})
			for range n {
				vk.CmdPipelineBarrier(cb, vk.PipelineStageFlags(vk.PipelineStageComputeShaderBit),
					vk.PipelineStageFlags(vk.PipelineStageComputeShaderBit), 0, 1,
					[]vk.MemoryBarrier{{SType: vk.StructureTypeMemoryBarrier, SrcAccessMask: vk.AccessFlags(vk.AccessShaderWriteBit),
						DstAccessMask: vk.AccessFlags(vk.AccessShaderReadBit)}}, 0, nil, 0, nil)
			}
			vk.EndCommandBuffer(cb)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/command")
	})
}

// TestFeatures prints what the device offers beyond Vulkan 1.1; where there are cooperative matrices it says which.
func TestFeatures(t *testing.T) {
	info := testDevice(t).Info()
	t.Logf("%v: float16 %v, bfloat16 %v, int64 %v, cooperative matrices %v, NV_cooperative_matrix2 %+v, cores %d", info,
		info.Float16, info.BFloat16, info.Int64, info.CoopMat, info.CoopMat2, info.Cores)
	for _, c := range info.CoopMat {
		if c.M < 1 || c.N < 1 || c.K < 1 {
			t.Errorf("%+v", c)
		}
	}
	if (info.CoopMat2 != CoopMat2{}) && len(info.CoopMat) == 0 {
		t.Error("NV_cooperative_matrix2 without KHR_cooperative_matrix")
	}
}
