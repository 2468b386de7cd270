// SPDX-License-Identifier: MIT

package kernels_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
)

// Property tests: rapid draws a call of an op (cases_test.go), and whatever it draws, the device must agree with the
// reference, write its outputs and nothing else, give the same bits again, and keep the rows of a batch apart.
// A few dozen draws an op in go test, always the same ones; thousands of new ones in `make fuzz`. Half of the draws of a product make
// the driver compile a shader: there it is a dozen, but with JITVK_TESTS=all.

// An arg is a tensor of a call.
type arg struct {
	name   string
	data   []float32 // dense; nil where memory holds nothing yet
	words  []uint32  // instead of data: packed bytes, the step buffer
	shape  []int
	width  int    // floats of a row in memory; 0: the tensor is contiguous
	lay    layout // of such rows
	perRow int    // floats that belong to one row of the batch, whatever a row is to the op; 0: shared by all
	out    bool   // written
	whole  bool   // memory holds 32-bit integers, below 2^24

	precision kernels.Precision // in memory
}

// A call is one drawn use of an op.
type call struct {
	args  []arg
	rung  string
	wide  bool             // with the workgroups of a GPU, whatever the device
	bound kerneltest.Bound // Rel 1e-5 and a floor for what underflows, unless given
	run   func(p *engine.Program, t []kernels.Tensor)
	// ref is given the args as float64, what is not there as zeros. It leaves what the op leaves, and in terms what
	// kerneltest.Bound.Terms says, where an output is a sum.
	ref func(a, terms [][]float64)
}

// An opCase is an op of package kernels and how to draw its calls.
type opCase struct {
	name string
	draw func(d draw) call
}

// draw is rapid.T with what calls are made of.
type draw struct {
	*rapid.T
	tb testing.TB
}

func (d draw) on(label string) bool { return rapid.Bool().Draw(d.T, label) }

// size draws 1 to most: small ones, and the cuts of lanes, tiles and workgroups, more often than others.
func (d draw) size(label string, most int) int {
	cuts := []int{1}
	for _, n := range []int{8, 16, 32, 64, 128, 256, 1024} {
		for _, c := range []int{n - 1, n, n + 1} {
			if c <= most {
				cuts = append(cuts, c)
			}
		}
	}
	return rapid.OneOf(rapid.IntRange(1, min(9, most)), rapid.SampledFrom(cuts), rapid.IntRange(1, most)).Draw(d.T, label)
}

func pickFrom[V any](d draw, label string, values ...V) V {
	return rapid.SampledFrom(values).Draw(d.T, label)
}

// values draws n numbers in rows of width: noise, or what is not noise. small and big are the scales that the op must bear.
func (d draw) values(label string, n, width int, small, big float64) []float32 {
	kind := pickFrom(d, label, "noise", "zeros", "impulse", "constant rows", "offset", "tiny", "huge", "mixed")
	x := kerneltest.NewRand(rapid.Uint64().Draw(d.T, label+" seed"))
	out := x.Normal(n)
	at := rapid.IntRange(0, n-1).Draw(d.T, label+" place")
	for i := range out {
		switch kind {
		case "zeros":
			out[i] = 0
		case "impulse":
			if i != at {
				out[i] = 0
			}
		case "constant rows":
			out[i] = out[i/width*width]
		case "offset":
			out[i] += float32(min(big, 100))
		case "tiny":
			out[i] *= float32(small)
		case "huge":
			out[i] *= float32(big)
		case "mixed":
			if i%3 == at%3 {
				out[i] *= float32(big)
			}
		}
	}
	return out
}

// normal is values of the scales that most ops must bear.
func (d draw) normal(label string, n, width int) []float32 {
	return d.values(label, n, width, 1e-5, 1e5)
}

// layout draws how the rows of a tensor lie, in multiples of unit floats.
func (d draw) layout(label string, unit int) layout {
	if !d.on(label + " strided") {
		return packed
	}
	return layout{gap: unit * rapid.IntRange(1, 5).Draw(d.T, label+" gap"), off: unit * rapid.IntRange(0, 5).Draw(d.T, label+" offset")}
}

// failure hands a draw's failures to rapid, which then looks for a smaller one, and frees its memory after each draw.
type failure struct {
	testing.TB
	rt      *rapid.T
	cleanup []func()
	said    *[]string // when not nil, failures go here instead: the harness itself is under test
}

func (f *failure) Helper()          { f.rt.Helper() }
func (f *failure) Cleanup(c func()) { f.cleanup = append(f.cleanup, c) }

func (f *failure) Errorf(format string, a ...any) {
	if f.said != nil {
		*f.said = append(*f.said, fmt.Sprintf(format, a...))
		return
	}
	f.rt.Errorf(format, a...)
}

func (f *failure) Fatalf(format string, a ...any) {
	if f.Errorf(format, a...); f.said != nil {
		panic(given{})
	}
	f.rt.FailNow()
}

func (f *failure) Error(a ...any) { f.Errorf("%s", fmt.Sprint(a...)) }
func (f *failure) Fatal(a ...any) { f.Fatalf("%s", fmt.Sprint(a...)) }

// given is the panic of a fatal failure that is recorded.
type given struct{}

func (f *failure) free() {
	for _, c := range f.cleanup {
		c()
	}
	f.cleanup = nil
}

// dearOps have most of their draws compiled anew, or take long to run.
var dearOps = []string{"MatMul", "Attention", "Fold", "Unfold"}

// TestProperties draws calls of every op.
func TestProperties(t *testing.T) {
	kerneltest.Device(t)
	for _, op := range opCases {
		t.Run(op.name, func(t *testing.T) {
			if slices.ContainsFunc(dearOps, func(name string) bool { return strings.HasPrefix(op.name, name) }) {
				defer fewerDraws()()
			}
			rapid.Check(t, func(rt *rapid.T) {
				f := &failure{TB: t, rt: rt}
				defer f.free()
				checkCall(f, op, op.draw(draw{rt, t}), draw{rt, t})
			})
		})
	}
}

// TestHarnessCatches: the property test notices what a faulty op could do, one thing at a time.
func TestHarnessCatches(t *testing.T) {
	const n = 64 // floats of each of two rows
	same := func(a, _ [][]float64) { copy(a[0], a[1]) }
	copyRows := func(p *engine.Program, t []kernels.Tensor) {
		for r := range 2 {
			p.Copy(t[0].Range.Sub(int64(4*(t[0].Off+r*max(t[0].Ld, n))), 4*n), t[1].Range.Sub(int64(4*r*n), 4*n))
		}
	}
	runs := 0
	for name, c := range map[string]struct {
		run  func(p *engine.Program, t []kernels.Tensor)
		ref  func(a, terms [][]float64)
		want string // in what is said; "": nothing is
	}{
		"right": {copyRows, same, ""},
		"a wrong value": {func(p *engine.Program, t []kernels.Tensor) {
			copyRows(p, t)
			p.Fill(t[0].Range.Sub(4*5, 4), 0)
		}, same, "y: 1 of 128"},
		"a row left alone": {func(p *engine.Program, t []kernels.Tensor) { p.Copy(t[0].Range.Sub(0, 4*n), t[1].Range.Sub(0, 4*n)) }, same,
			"got NaN"},
		"an input written": {func(p *engine.Program, t []kernels.Tensor) {
			copyRows(p, t)
			p.Fill(t[1].Range.Sub(0, 4), 0)
		}, same, "x is an input, and was written"},
		"written between the rows": {func(p *engine.Program, t []kernels.Tensor) {
			copyRows(p, t)
			p.Fill(t[0].Range.Sub(4*n, 4), 0)
		}, same, "something was written between the rows"},
		"written past the end": {func(p *engine.Program, t []kernels.Tensor) {
			copyRows(p, t)
			b := t[0].Range.Buffer()
			p.Fill(b.Range(b.Size()-256, 4), 0) // the guard words behind the tensor
		}, same, "tensor 0: word 0 after it was overwritten"},
		"other bits the second time": {func(p *engine.Program, t []kernels.Tensor) {
			copyRows(p, t)
			runs++
			p.Fill(t[0].Range.Sub(0, 4), uint32(runs)) // denormal numbers, within the bound of 0
		}, func(a, _ [][]float64) { copy(a[0], a[1]); a[0][0] = 0 }, "a second run gives other bits"},
		"rows exchanged, as the reference has it": {func(p *engine.Program, t []kernels.Tensor) {
			for r := range 2 {
				p.Copy(t[0].Range.Sub(int64(4*r*max(t[0].Ld, n)), 4*n), t[1].Range.Sub(int64(4*(1-r)*n), 4*n))
			}
		}, func(a, _ [][]float64) { copy(a[0], a[1][n:]); copy(a[0][n:], a[1][:n]) }, "depends on other rows"},
	} {
		y, x := out("y", n, 2, n), in("x", kerneltest.NewRand(1).Normal(2*n), n, 2, n)
		y.width, y.lay = n, layout{gap: n}
		var said []string
		rapid.Custom(func(rt *rapid.T) bool {
			d := draw{rt, t}
			f := &failure{TB: t, rt: rt, said: &said}
			defer f.free()
			defer func() {
				if r := recover(); r != nil && r != any(given{}) {
					panic(r)
				}
			}()
			checkCall(f, opCase{name: kerneltest.SelfTest}, call{args: []arg{y, x}, run: c.run, ref: c.ref}, d)
			return true
		}).Example(1)
		if all := strings.Join(said, "; "); c.want == "" && all != "" || !strings.Contains(all, c.want) {
			t.Errorf("%s: said %q, want %q", name, all, c.want)
		}
	}
}

func checkCall(t *failure, op opCase, c call, d draw) {
	limit := int64(0)
	if pickFrom(d, "cut", false, false, true) { // as if a binding reached a third of the longest tensor
		for _, a := range c.args {
			limit = max(limit, int64(max(len(a.data), len(a.words), (kernels.Tensor{Shape: a.shape}).Len()))*4/3)
		}
	}
	c.wide = d.on("workgroups of a GPU")
	tensors := c.execute(t, &limit)

	wide, terms := make([][]float64, len(c.args)), make([][]float64, len(c.args))
	for i, a := range c.args {
		n := (kernels.Tensor{Shape: a.shape}).Len()
		if wide[i] = make([]float64, n); a.data != nil {
			wide[i] = kerneltest.Widen(kerneltest.Rounded(a.precision, a.data))
		}
		terms[i] = make([]float64, n)
	}
	c.ref(wide, terms)
	if c.bound.Rel == 0 && c.bound.Abs == 0 {
		c.bound = kerneltest.Bound{Abs: 1e-20, Rel: 1e-5}
	}
	for i, a := range c.args {
		got := tensors[i].values(t) // checks what lies between rows, too
		if a.whole {
			for j, bits := range bitsOf(got) {
				got[j] = float32(bits)
			}
		}
		if a.out {
			b := c.bound
			b.Terms = terms[i]
			kerneltest.Check(t, kerneltest.Case{Op: op.name, Rung: c.rung, Name: a.name, Shape: a.shape}, got, wide[i],
				storedIn(a.precision, b))
		} else if !slices.Equal(tensors[i].h.Bits(tensors[i].Tensor), tensors[i].gap) {
			t.Errorf("%s is an input, and was written", a.name)
		}
	}
	c.again(t, tensors, &limit)
	c.apart(t, tensors, &limit, d)
}

// roundoff is by how much of a number storing it in a precision may change it: half a unit of its last bit.
var roundoff = map[kernels.Precision]float64{kernels.FP16: 0x1p-11, kernels.BF16: 0x1p-8}

// storedIn is the bound of what was rounded once more, to the precision that it lies in.
func storedIn(precision kernels.Precision, b kerneltest.Bound) kerneltest.Bound {
	b.Rel += roundoff[precision] * (1 + b.Rel)
	if precision == kernels.FP16 {
		b.Abs += 0x1p-25 // half the distance of subnormal numbers
	}
	return b
}

// again runs the call once more.
func (c call) again(t *failure, first []rowTensor, limit *int64) {
	for i, x := range c.execute(t, limit) {
		if !slices.Equal(bitsOf(x.values(t)), bitsOf(first[i].values(t))) {
			t.Errorf("%s: a second run gives other bits", c.args[i].name)
		}
	}
}

// apart gives all rows of the batch but one that row's values: what is computed of that row must not change.
func (c call) apart(t *failure, first []rowTensor, limit *int64, d draw) {
	rows := 0
	for _, a := range c.args {
		if a.perRow > 0 && a.out {
			rows = (kernels.Tensor{Shape: a.shape}).Len() / a.perRow
		}
	}
	if rows < 2 {
		return
	}
	row := rapid.IntRange(0, rows-1).Draw(d.T, "row")
	alike := c
	alike.args = slices.Clone(c.args)
	for i, a := range c.args {
		if a.perRow > 0 && a.data != nil {
			alike.args[i].data = slices.Repeat(a.data[row*a.perRow:][:a.perRow], rows)
		}
		if a.perRow > 0 && a.words != nil {
			alike.args[i].words = slices.Repeat(a.words[row*a.perRow:][:a.perRow], rows)
		}
	}
	for i, x := range alike.execute(t, limit) {
		a := c.args[i]
		if a.perRow == 0 || !a.out {
			continue
		}
		part := func(x rowTensor) []uint32 { return bitsOf(x.values(t)[row*a.perRow:][:a.perRow]) }
		if !slices.Equal(part(x), part(first[i])) {
			t.Errorf("%s: row %d of %d depends on other rows", a.name, row, rows)
		}
	}
}

func bitsOf(x []float32) []uint32 {
	out := make([]uint32, len(x))
	for i, v := range x {
		out[i] = math.Float32bits(v)
	}
	return out
}

// execute uploads the args and runs the call. A limit that some piece does not fit into is set to 0: none.
func (c call) execute(t *failure, limit *int64) []rowTensor {
	t.Helper()
	h := kerneltest.New(t)
	xs, ts := make([]rowTensor, len(c.args)), make([]kernels.Tensor, len(c.args))
	for i, a := range c.args {
		width := a.width
		if a.words != nil {
			w := h.Words(a.words)
			w.Shape = a.shape
			xs[i] = rowTensor{w, h, 1, len(a.words), h.Bits(w)}
		} else {
			if width == 0 {
				width = (kernels.Tensor{Shape: a.shape}).Len()
			}
			xs[i] = rowsOfPrecision(h, a.precision, a.data, a.lay, width, a.shape...)
		}
		ts[i] = xs[i].Tensor
	}
	run := func() (fits bool) {
		kernels.SetRangeLimit(*limit)
		defer kernels.SetRangeLimit(0)
		kernels.SetGPUShapes(c.wide)
		defer kernels.SetGPUShapes(false)
		err := h.Try(func(p *engine.Program) { c.run(p, ts) })
		if tooSmall := new(engine.LimitError); *limit != 0 && errors.As(err, &tooSmall) {
			*limit = 0
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		return true
	}
	if !run() {
		run()
	}
	return xs
}

// TestEveryOpHasCases: a function of package kernels that records something is in the table, by its name.
func TestEveryOpHasCases(t *testing.T) {
	var table, found []string
	for _, op := range opCases {
		table = append(table, op.name)
	}
	for _, name := range recorders(t) {
		found = append(found, name)
		if !slices.Contains(table, name) {
			t.Errorf("kernels.%s is not in opCases (cases_test.go)", name)
		}
	}
	for _, name := range table {
		if !slices.Contains(found, name) {
			t.Errorf("opCases has %s, which package kernels does not", name)
		}
	}
	if len(found) < 20 {
		t.Errorf("only %d ops found: %v", len(found), found)
	}
}

// recorders lists the exported functions whose first parameter is a program and that return nothing.
func recorders(t *testing.T) (names []string) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !fn.Name.IsExported() || fn.Type.Results != nil || fn.Type.Params.NumFields() == 0 {
				continue
			}
			if star, ok := fn.Type.Params.List[0].Type.(*ast.StarExpr); ok && fmt.Sprint(star.X) == "&{engine Program}" {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}

func rapidInt(d draw, label string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(d.T, label) }

// narrowed is x as the device stores it.
func narrowed(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}
