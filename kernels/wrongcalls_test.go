// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
)

// Wrong calls: rapid draws a call that is right (cases_test.go) and bends one of its tensors. The op must refuse it with a text that
// has numbers in it. A program that is built from such a call would read or write what it should not, or compute nonsense.

// A bend makes a tensor wrong. It returns false where it cannot: the tensor would still be right.
type bend struct {
	name string
	do   func(w wrong, t *kernels.Tensor, a arg) bool
}

// wrong is what bends are made with.
type wrong struct {
	d             draw
	op            string
	device, other *engine.Device
	keep          func(*engine.Buffer)
}

// size is the bytes of an element.
func elementBytes(p kernels.Precision) int64 {
	if p == kernels.FP32 {
		return 4
	}
	return 2
}

// memory is a range of a buffer on a device.
func (w wrong) memory(d *engine.Device, size int64) engine.Range {
	b, err := d.NewBuffer("wrong", size)
	if err != nil {
		w.d.Fatal(err)
	}
	w.keep(b)
	return b.All()
}

// freely are the dimensions that may have any size whatever the other tensors have, so that another size is no mistake: of a tensor
// that is alone, of a table's rows, of tokens that are cut off or put before.
var freely = map[string]bool{"GradNorm g": true, "Normal x": true, "LogitNormal tau": true, "Peak y": true, "PeakMatrix y": true,
	"Embed table 0": true,
	"ColSum dy 0":   true, "AddRows x 0": true, "RoPE y 2": true,
	"ConcatTimeBackward dy 1": true, "ConcatTimeBackward dy 2": true,
	"ConcatTimeBackward de 1": true, "TimeEmbedding e 1": true, "RoPE y 0": true, "AddRows y 0": true,
	"EmbedBackward dtable 0": true, "DropTokens x 1": true, "DropTokens y 1": true, "DropTokensBackward dx 1": true,
	"DropTokensBackward dy 1": true}

var bends = []bend{
	{"a range that is too small", func(w wrong, t *kernels.Tensor, a arg) bool {
		size := t.Range.Size()
		less := 4 * int64(rapidInt(w.d, "words less", 1, int(min(size/4, 8))))
		if t.Range = t.Range.Sub(0, max(size-less, 0)); less >= size {
			t.Range = engine.Range{}
		}
		return true
	}},
	{"one float of memory", func(w wrong, t *kernels.Tensor, a arg) bool {
		if t.Range.Size() <= 4 {
			return false
		}
		t.Range = t.Range.Sub(0, 4)
		return true
	}},
	{"no memory", func(w wrong, t *kernels.Tensor, a arg) bool { t.Range = engine.Range{}; return true }},
	{"another precision", func(w wrong, t *kernels.Tensor, a arg) bool {
		all := []kernels.Precision{kernels.FP32, kernels.FP16, kernels.BF16, 7}
		t.Precision = pickFrom(w.d, "precision", slices.DeleteFunc(all, func(p kernels.Precision) bool { return p == a.precision })...)
		return !mayBeHalves[w.op+" "+a.name]
	}},
	{"a dimension of 0", func(w wrong, t *kernels.Tensor, a arg) bool {
		t.Shape[rapidInt(w.d, "dimension", 0, len(t.Shape)-1)] = 0
		return true
	}},
	{"a negative dimension", func(w wrong, t *kernels.Tensor, a arg) bool {
		t.Shape[rapidInt(w.d, "dimension", 0, len(t.Shape)-1)] *= -1
		return true
	}},
	{"two negative dimensions", func(w wrong, t *kernels.Tensor, a arg) bool {
		if len(t.Shape) < 2 {
			return false
		}
		i := rapidInt(w.d, "dimension", 0, len(t.Shape)-2)
		t.Shape[i], t.Shape[i+1] = -t.Shape[i], -t.Shape[i+1]
		return true
	}},
	{"a dimension of 2^62", func(w wrong, t *kernels.Tensor, a arg) bool {
		t.Shape[rapidInt(w.d, "dimension", 0, len(t.Shape)-1)] = 1 << 62
		return true
	}},
	{"no dimensions", func(w wrong, t *kernels.Tensor, a arg) bool { t.Shape = nil; return true }},
	{"another size, and memory for it", func(w wrong, t *kernels.Tensor, a arg) bool {
		i := rapidInt(w.d, "dimension", 0, len(t.Shape)-1)
		name := w.op + " " + a.name
		if freely[name] || freely[fmt.Sprint(name, " ", i)] {
			return false
		}
		t.Shape[i] += rapidInt(w.d, "more", 1, 3)
		t.Range = w.memory(w.device, 8*elementBytes(t.Precision)*int64(t.Len()+t.Off+t.Ld*t.Len()))
		return true
	}},
	{"rows that overlap", func(w wrong, t *kernels.Tensor, a arg) bool {
		_, width := t.Rows(1)
		t.Ld = pickFrom(w.d, "distance", width-1, 1, -1, -width)
		return t.Ld < width && t.Ld != 0
	}},
	{"an offset before the range", func(w wrong, t *kernels.Tensor, a arg) bool {
		t.Off = -4 * rapidInt(w.d, "fours", 1, 9)
		return true
	}},
	{"an offset beyond the range", func(w wrong, t *kernels.Tensor, a arg) bool {
		t.Off += int(t.Range.Size())
		return true
	}},
	{"rows apart where contiguous ones are wanted", func(w wrong, t *kernels.Tensor, a arg) bool {
		rows, width := t.Rows(1)
		if a.width != 0 || rows == 1 || mayBeApart[w.op+" "+a.name] {
			return false
		}
		t.Ld = width + 4
		t.Range = w.memory(w.device, elementBytes(t.Precision)*int64(rows*t.Ld*4))
		return !t.Contiguous() // (1,3,H,W) with as much between its rows as makes planes of them is
	}},
	{"an offset where contiguous elements are wanted", func(w wrong, t *kernels.Tensor, a arg) bool {
		if a.width != 0 || mayBeApart[w.op+" "+a.name] {
			return false
		}
		t.Off = 4
		t.Range = w.memory(w.device, t.Range.Size()+64)
		return true
	}},
	{"another device's memory", func(w wrong, t *kernels.Tensor, a arg) bool {
		t.Range = w.memory(w.other, t.Range.Size())
		return true
	}},
	{"memory that was closed", func(w wrong, t *kernels.Tensor, a arg) bool {
		t.Range.Buffer().Close()
		return true
	}},
}

// mayBeHalves are the tensors that ops take in halves or in fp32, whatever the rest of the call is.
var mayBeHalves = map[string]bool{"Derf y": true, "RMSNorm y": true, "NormModulate y": true, "Cast y": true,
	"MatMulSwiGLUBackward dy": true, "MatMulSwiGLUBackward w": true,
	"MatMulSwiGLU x": true, "MatMulSwiGLU w": true, "MatMul a": true, "MatMul b": true, "MatMul c": true, "MatMulSwiGLU h": true,
	"SwiGLU h": true, "SwiGLU ab": true, "DerfBackward dy": true, "RMSNormBackward dy": true, "NormModulateBackward dy": true,
	"DerfRoPE x": true, "DerfRoPE y": true, "DerfRoPEBackward dx": true, "DerfRoPEBackward dy": true, "DerfRoPEBackward x": true,
	"NormRoPE x": true, "NormRoPE y": true, "NormRoPEBackward dx": true, "NormRoPEBackward dy": true, "NormRoPEBackward y": true,
	"NormRoPEBackward x": true, "DerfBackward rounded": true, "RMSNormBackward rounded": true,
	"Attention o": true, "Attention q": true, "Attention k": true, "Attention v": true, "AttentionBackward dq": true,
	"AttentionBackward dk": true, "AttentionBackward dv": true, "AttentionBackward do": true, "AttentionBackward o": true,
	"AttentionBackward q": true, "AttentionBackward k": true, "AttentionBackward v": true}

// mayBeApart are contiguous tensors of right calls whose rows ops let lie apart all the same.
var mayBeApart = map[string]bool{"MatMulSwiGLU x": true, "MatMulSwiGLUBackward dy": true, "MatMulSwiGLUBackward w": true,
	"MatMul bias": true}

// optional are tensors that a call may have and not hand to the op, as its options say.
var optional = map[string]bool{"ConcatTimeBackward dx": true, "FlowLoss x": true, "FlowLoss noise": true, "FlowLoss step": true,
	"Fold norm": true, "Fold window": true, "Unfold norm": true, "Unfold window": true, "MatMul row sums": true, "MatMul bias": true,
	"MatMul residual": true, "MatMulSwiGLU ab": true, "MatMulSwiGLU bias": true, "RoPE x": true, "AddRows x": true, "FlowLoss dpred": true,
	"DerfBackward rounded": true, "RMSNormBackward rounded": true}

// refusal is what a panic says: the line of this test that made the call, who refuses it, and numbers.
var refusal = regexp.MustCompile(`^kernels/[a-z]+_test\.go:\d+: (kernels|engine): `)

var number = regexp.MustCompile(`\d`)

// TestWrongCalls bends calls of every op, some twenty times each.
func TestWrongCalls(t *testing.T) {
	kerneltest.Device(t) // its kind decides which rungs are drawn
	open := func() *engine.Device {
		d, err := engine.Open(engine.Options{DryRun: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		return d
	}
	device, other := open(), open()
	bent := map[string]int{}
	for _, op := range opCases {
		t.Run(op.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				var buffers []*engine.Buffer
				defer func() {
					for _, b := range buffers {
						b.Close()
					}
				}()
				d := draw{rt, t}
				w := wrong{d, op.name, device, other, func(b *engine.Buffer) { buffers = append(buffers, b) }}
				c := op.draw(d)
				tensors := w.tensors(c)
				if said := refused(device, c, tensors); said != nil {
					rt.Fatalf("a right call is refused: %v", said)
				}
				i := rapidInt(d, "tensor", 0, len(tensors)-1)
				b := pickFrom(d, "bend", bends...)
				if optional[op.name+" "+c.args[i].name] {
					without := slices.Clone(tensors)
					if without[i] = (kernels.Tensor{}); refused(device, c, without) == nil {
						return
					}
				}
				if !b.do(w, &tensors[i], c.args[i]) {
					return
				}
				bent[b.name]++
				answer := refused(device, c, tensors)
				_, built := answer.(error) // what is too much for a device is an error of Build
				said := fmt.Sprint(answer)
				where := refusal.FindString(said)
				ok := built && strings.Contains(said, "engine: ") || !built && where != ""
				if !ok || !number.MatchString(strings.TrimPrefix(said, where)) && tensors[i].Shape != nil {
					rt.Errorf("%s %v with %s: says %q; the line and numbers are wanted", c.args[i].name, tensors[i], b.name, said)
				}
			})
		})
	}
	total := 0
	for _, b := range bends {
		if total += bent[b.name]; bent[b.name] == 0 {
			t.Errorf("no call with %s", b.name)
		}
	}
	if total < 500 {
		t.Errorf("%d wrong calls, 500 wanted", total)
	}
}

// tensors are those of a right call, laid out as execute does it, on a device that only plans.
func (w wrong) tensors(c call) []kernels.Tensor {
	out := make([]kernels.Tensor, len(c.args))
	for i, a := range c.args {
		x := kernels.Tensor{Shape: slices.Clone(a.shape), Precision: a.precision}
		n := x.Len()
		if a.width != 0 && a.lay != packed {
			x.Ld, x.Off = a.width+a.lay.gap, a.lay.off
			n = x.Off + (n/a.width-1)*x.Ld + a.width
		}
		x.Range = w.memory(w.device, elementBytes(a.precision)*int64(n))
		out[i] = x
	}
	return out
}

// refused records and builds a call, and returns what it panics with or the error; nil where it is built.
func refused(device *engine.Device, c call, tensors []kernels.Tensor) (said any) {
	p := engine.NewProgram(device, "wrong call")
	defer p.Close()
	defer func() {
		if r := recover(); r != nil {
			said = r
		}
	}()
	c.run(p, tensors)
	if err := p.Build(); err != nil {
		return err
	}
	return nil
}

// TestApartIsRefused: a binding for a shader that is not told Ld and Off is of contiguous elements, whether or not the op has looked.
func TestApartIsRefused(t *testing.T) {
	d, err := engine.Open(engine.Options{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	b, err := d.NewBuffer("rows", 4*64)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, x := range []kernels.Tensor{{Shape: []int{4, 8}, Range: b.All(), Ld: 12}, {Shape: []int{4, 8}, Range: b.All(), Off: 4}} {
		func() {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.Contains(said, "contiguous") || !strings.Contains(said, x.String()) {
					t.Errorf("%v: says %q", x, said)
				}
			}()
			x.Read()
		}()
	}
}
