// SPDX-License-Identifier: MIT

package tune

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"jitvk/engine"
	"jitvk/engine/files"
	"jitvk/engine/files/disktest"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/measure"
)

func TestMain(m *testing.M) { kerneltest.Main(m) }

// ours are those of the test device, with a cache folder of the test's own.
func ours(t *testing.T) engine.Options {
	t.Helper()
	kerneltest.Device(t)
	t.Setenv("JITVK_CACHE", filepath.Join(t.TempDir(), "cache"))
	return options(os.Getenv("JITVK_DEVICE"))
}

// plan is a dry run's device on which a program has some choices to make.
func plan(t *testing.T, m Mode, o engine.Options, classes ...string) *engine.Device {
	t.Helper()
	o.DryRun = true
	d, err := engine.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	m.recall(d)
	p := engine.NewProgram(d, t.Name())
	for _, c := range classes {
		p.Choose(c, choices)
	}
	return d
}

// know puts choices into a device's table.
func know(info engine.Info, choices engine.Choices) {
	found := map[string]Result{}
	for class, choice := range choices {
		found[class] = Result{Choice: choice}
	}
	writeTable(info, found)
}

// choices are not the kernels' own: these take another one's name for their guess, on any device, and are equally fast.
var choices = []string{"guess", "other"}

const small, large = "matmul fp32 nt 1x32x32x32", "attention fp32 forward 2x16x2x32"

// TestWork: what is measured for a class is work of that class, in every op and variant.
func TestWork(t *testing.T) {
	d := kerneltest.Device(t)
	for _, class := range []string{small, large, "matmul fp32 tn 1x32x16x64", "matmul fp32 nn 3x32x16x64", "matmul fp16 tt 1x16x16x16",
		"swiglu fp32 nt 1x16x24x32",
		"swiglu fp32 nn 1x16x24x32", "matmul fp16 NT 1x32x16x64", "matmul bf16 tN 3x32x16x64", "swiglu fp16 NT 1x16x24x32",
		"swiglu bf16 nN 1x16x24x32", "attention fp32 backward 2x16x2x32"} {
		c, err := kernels.ParseClass(class)
		if err != nil {
			t.Fatal(err)
		}
		m := measure.NewMemory(d)
		record, result := work(m, d.Info().MaxStorageBufferRange, class)
		if err := m.Err(); err != nil {
			t.Fatal(err)
		}
		p := engine.NewProgram(d, class)
		record(p)
		flops := 2 * float64(c.Size[0]*c.Size[1]*c.Size[2]*c.Size[3])
		most := 2.6 * flops // a second product for the gates, or what the epilogue adds
		if c.Op == "attention" {
			flops *= 2 * float64(c.Size[1])
			most = 4 * flops // of the backward pass
		}
		if got := p.FLOPs(); got < flops || got > most {
			t.Errorf("%s: %g operations, %g to %g wanted", class, got, flops, most)
		}
		if err := p.Build(); err != nil {
			t.Error(err)
		}
		// What is called the result is what the work writes, all of it.
		if err := spoil(d, result); err != nil {
			t.Fatal(err)
		}
		if got, err := parts(d, result); err != nil || alike(got, got) {
			t.Errorf("%s: a spoiled result is like itself (%v)", class, err)
		}
		if err := p.Run(); err != nil {
			t.Fatal(err)
		}
		if got, err := parts(d, result); err != nil || !alike(got, got) {
			t.Errorf("%s: the result is not, or not wholly, written (%v)", class, err)
		}
		p.Close()
		m.Close()
	}
}

// TestMeasuresEach: the work of a class is recorded once by each of its choices.
func TestMeasuresEach(t *testing.T) {
	d := kerneltest.Device(t)
	// One tile, and a sum that can be split; in fp32, and in halves as they lie in memory.
	for _, class := range []string{"matmul fp32 tn 1x32x32x1024", "matmul fp16 tN 1x32x32x1024", "matmul bf16 TT 1x32x32x1024"} {
		m := measure.NewMemory(d)
		defer m.Close()
		record, _ := work(m, d.Info().MaxStorageBufferRange, class)
		if err := m.Err(); err != nil {
			t.Fatal(err)
		}
		defer d.Prefer(nil)
		d.Prefer(nil)
		record(engine.NewProgram(d, class))
		i := slices.IndexFunc(d.Guessed(), func(o engine.Guess) bool { return o.Class == class })
		if i < 0 {
			t.Fatalf("%v: not guessed", d.Guessed())
		}
		o := d.Guessed()[i]
		r, err := (&tuning{d: d, began: time.Now(), budget: time.Minute}).class(o)
		if last := o.Choices[len(o.Choices)-1]; err != nil || !slices.Contains(o.Choices, r.Choice) || d.Chosen()[class] != last ||
			len(r.Untried)+len(r.Wrong) > 0 || !(r.Seconds > 0) {
			t.Errorf("%v: %+v, %v; %q was recorded last", o, r, err, d.Chosen()[class])
		}
	}
}

// TestWorkFits: what does not fit into a binding, as rounding may make it, is not measured.
func TestWorkFits(t *testing.T) {
	d := kerneltest.Device(t)
	m := measure.NewMemory(d)
	defer m.Close()
	for limit, fits := range map[int64]bool{4 * 64 * 64: false, 8 * 64 * 64: true} {
		if record, _ := work(m, limit, "matmul fp32 nn 1x64x64x64"); (record != nil) != fits || m.Err() != nil {
			t.Errorf("a limit of %d bytes: fits %v", limit, !fits)
		}
	}
}

// TestFastest: the faster choice wins, one that is as fast as the guess does not, and one that fails is out.
func TestFastest(t *testing.T) {
	d := kerneltest.Device(t)
	m := measure.NewMemory(d)
	defer m.Close()
	x, y, z := m.Tensor(1<<16), m.Tensor(1<<16), m.Tensor(1<<16)
	if err := m.Err(); err != nil {
		t.Fatal(err)
	}
	times := map[string]int{"once": 1, "four times": 4, "twenty times": 20, "also once": 1}
	fastest := func(choices []string, record func(p *engine.Program, choice string)) (string, error) {
		r, err := race(choices, (&onDevice{d: d, result: y, record: record}).enter, func() bool { return false })
		return r.Choice, err
	}
	record := func(p *engine.Program, choice string) {
		for range times[choice] {
			kernels.Add(p, y, x, x)
		}
		switch choice {
		case "wrong":
			kernels.Add(p, y, x, z)
		case "elsewhere":
			kernels.Add(p, z, x, x)
		}
	}
	for _, c := range []struct {
		choices []string
		want    string
	}{{[]string{"four times", "once", "twenty times"}, "once"}, {[]string{"twenty times", "four times"}, "four times"},
		{[]string{"once", "four times", "twenty times"}, "once"},
		{[]string{"twenty times", "wrong", "elsewhere", "four times"}, "four times"}, {[]string{"twenty times", "wrong"}, "twenty times"},
		{[]string{"twenty times", "elsewhere"}, "twenty times"}} {
		if got, err := fastest(c.choices, record); err != nil || got != c.want {
			t.Errorf("of %v: %q, %v", c.choices, got, err)
		}
	}
	broken := func(p *engine.Program, choice string) {
		if record(p, choice); choice == "also once" {
			p.Fill(p.Temp("beyond all memory", 1<<60).All(), 0)
		}
	}
	if got, err := fastest([]string{"four times", "also once", "once"}, broken); err != nil || got != "once" {
		t.Errorf("beside one that fails: %q, %v", got, err)
	}
	if got, err := fastest([]string{"also once", "once"}, broken); !errors.Is(err, engine.ErrOutOfMemory) {
		t.Errorf("a guess that fails: %q, %v", got, err)
	}
}

// TestDecide: a first run measures and says so, the next one knows and says nothing, whatever it guesses; off and again do what
// they say.
func TestDecide(t *testing.T) {
	o := ours(t)
	var lines []string
	measured := func(m Mode, classes ...string) (*engine.Device, engine.Choices) {
		t.Helper()
		lines = nil
		d := plan(t, m, o, classes...)
		got, err := m.measure(context.Background(), o, d, 0, func(line string) { lines = append(lines, line) })
		if err != nil {
			t.Fatal(err)
		}
		return d, got
	}
	d, got := measured(Auto, small, large)
	if len(got) != 2 || got[small] == "" || got[large] == "" {
		t.Errorf("first run: %v", got)
	}
	if len(lines) == 0 || lines[0] != "measuring   kernels on "+d.Info().Name+": 1/2 "+large {
		t.Errorf("first run: says %q", lines)
	}
	table := readTable(d.Info())
	if !maps.Equal(table, got) {
		t.Errorf("the table holds %v, %v was found", table, got)
	}
	if d, again := measured(Auto, large, small); len(d.Guessed()) != 0 || len(lines) != 0 || !maps.Equal(again, got) {
		t.Errorf("second run: %v guessed, says %q, chooses %v", d.Guessed(), lines, again)
	}
	if _, got := measured(Off, small, large); len(lines) != 0 || got[small] != "guess" || got[large] != "guess" {
		t.Errorf("off: %v, says %q", got, lines)
	}
	if _, got := measured("", small); len(lines) != 0 || got[small] != "guess" {
		t.Errorf("no mode: %v, says %q", got, lines)
	}
	know(d.Info(), engine.Choices{small: "gone", large: "other", "matmul fp32 nn 1x2x3x4": "kept"})
	if d, got := measured(Auto, small, large); len(d.Guessed()) != 1 || got[small] == "gone" || got[large] != "other" {
		t.Errorf("a choice that is no more: %v guessed, chooses %v", d.Guessed(), got)
	}
	if measured(Again, small, large); len(lines) == 0 {
		t.Error("again: nothing is measured")
	}
	if table := readTable(d.Info()); len(table) != 3 || table["matmul fp32 nn 1x2x3x4"] != "kept" {
		t.Errorf("again: the table holds %v", table)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Again.measure(ctx, o, plan(t, Again, o, small), 0, func(string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := os.Stat(o.Cache); err != nil {
		t.Error(err)
	}
}

// planted makes what is measured for a class what a test says, while it runs.
func planted(t *testing.T, measured func(class string) (choice string, err error)) {
	t.Cleanup(func() { measureOne = (*tuning).class })
	measureOne = func(_ *tuning, g engine.Guess) (Result, error) {
		choice, err := measured(g.Class)
		return Result{Choice: choice, Of: len(g.Choices)}, err
	}
}

// TestMeasuredWins: what is measured wins over the guess, on the device that is opened and in the table of later runs; what could not
// be measured keeps its guess.
func TestMeasuredWins(t *testing.T) {
	o := ours(t)
	const full, broken = "matmul fp32 nn 1x32x16x64", "matmul fp32 tn 1x32x16x64"
	planted(t, func(class string) (string, error) {
		switch class {
		case full:
			return "", engine.ErrOutOfMemory
		case broken:
			return "", errors.ErrUnsupported
		}
		return "other", nil
	})
	all := []string{small, full, broken, large}
	p := plan(t, Auto, o, all...)
	got, err := Auto.measure(context.Background(), o, p, 0, func(string) {})
	want := engine.Choices{small: "other", full: "guess", broken: "guess", large: "other"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	delete(want, full) // which the next run may have
	if table := readTable(p.Info()); !maps.Equal(table, want) {
		t.Errorf("the table holds %v, want %v", table, want)
	}

	d, err := Open(context.Background(), Request{Device: o.Select, Mode: Again, Say: func(string) {}}, func(plan *engine.Device) error {
		for _, c := range all {
			choose(plan, c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, c := range []string{small, large} {
		if got := choose(d, c); got != "other" {
			t.Errorf("%s: the device that is opened takes %s", c, got)
		}
	}
}

// TestTableIsNoError: whatever lies where the table should be, a run measures, chooses and goes on, and mends it if it can.
func TestTableIsNoError(t *testing.T) {
	o := ours(t)
	run := func(name string) engine.Choices {
		t.Helper()
		d := plan(t, Auto, o, small)
		open := len(d.Guessed())
		got, err := Auto.measure(context.Background(), o, d, 0, func(string) {})
		if err != nil || got[small] == "" || open != 1 {
			t.Errorf("%s: %v, %v, %d guessed", name, got, err, open)
		}
		return readTable(d.Info())
	}
	if run("no folder")[small] == "" {
		t.Error("nothing is kept")
	}
	info := plan(t, Off, o).Info()
	path, err := tablePath(info)
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(x *table)) []byte {
		var x table
		if err := json.Unmarshal(good, &x); err != nil {
			t.Fatal(err)
		}
		f(&x)
		text, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, text := range map[string][]byte{
		"empty": {}, "cut short": good[:len(good)/2], "not JSON": []byte("\x00\xff"), "null": []byte("null"), "a list": []byte("[1]"),
		"wrong types":    []byte(`{"choices": 3}`),
		"without bounds": append([]byte(strings.Repeat(" ", maxTable)), good...),
		"another device": change(func(x *table) { x.Device = "x" }),
		"another driver": change(func(x *table) { x.Driver = "x" }),
		"other kernels":  change(func(x *table) { x.Kernels = "x" }),
	} {
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
		if run(name)[small] == "" {
			t.Errorf("%s: it is not mended", name)
		}
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f, err := files.Create(path) // as another process does that writes at this moment
	if err != nil {
		t.Fatal(err)
	}
	if known := run("two processes"); known != nil {
		t.Errorf("two processes: %v", known)
	}
	f.Abort()
	if err := os.MkdirAll(path, 0o777); err != nil {
		t.Fatal(err)
	}
	run("a folder of its name")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"a file for a folder": file, "no folder can be made": file + "/x", "read only": "/proc/none"} {
		t.Setenv("JITVK_CACHE", dir)
		o = options(o.Select)
		run(name)
	}
	t.Setenv("JITVK_CACHE", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if o = options(o.Select); o.Cache != "" {
		t.Errorf("no home: %q", o.Cache)
	}
	run("no home")
}

// TestFullDisk needs the right to mount.
func TestFullDisk(t *testing.T) {
	o := ours(t)
	if err := os.MkdirAll(o.Cache, 0o777); err != nil {
		t.Fatal(err)
	}
	disktest.Mount(t, o.Cache, "4k")
	if err := os.WriteFile(filepath.Join(o.Cache, "full"), make([]byte, 4096), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := Auto.measure(context.Background(), o, plan(t, Auto, o, small), 0, func(string) {}); err != nil || got[small] == "" {
		t.Errorf("%v, %v", got, err)
	}
	if list, err := os.ReadDir(o.Cache); err != nil || len(list) != 1 {
		t.Errorf("left behind: %v (%v)", list, err)
	}
}

func TestModeIsAFlag(t *testing.T) {
	var m Mode
	for _, s := range []string{"auto", "off", "again"} {
		if err := m.Set(s); err != nil || m.String() != s {
			t.Errorf("%s: %v, %v", s, m, err)
		}
	}
	if err := m.Set("on"); err == nil || !strings.Contains(err.Error(), "auto, off or again") {
		t.Errorf("on: %v", err)
	}
}

// TestAlike: halves are read as the numbers they are, and a hundredth is the border between two results.
func TestAlike(t *testing.T) {
	for bits, want := range map[uint16]float64{0: 0, 1: 0x1p-24, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0400: 0x1p-14,
		0x7c00: math.Inf(1)} {
		if got := float64(kernels.FP16.FromHalf(bits)); got != want {
			t.Errorf("fp16 %#x is %g, not %g", bits, got, want)
		}
	}
	if kernels.BF16.FromHalf(0xbf80) != -1 || !math.IsNaN(float64(kernels.FP16.FromHalf(0xffff))) ||
		!math.IsNaN(float64(kernels.BF16.FromHalf(0xffff))) {
		t.Error("bf16, or NaN")
	}
	a := []float32{1, -2, 3}
	for got, want := range map[*[]float32]bool{{1, -2, 3.03}: true, {1, -2, 3.05}: false, {1, -2, float32(math.NaN())}: false,
		{-1, 2, -3}: false, {}: false} {
		if alike(*got, a) != want {
			t.Errorf("%v", *got)
		}
	}
}
