// SPDX-License-Identifier: MIT

package autograd

import (
	"bytes"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
)

// TestCheckpoint puts a chain of blocks of two linear layers with a residual around them on the tape, one weight used by all, one
// block inside another, one whose result nobody uses: gradients have the bits that they have without, the arena is smaller.
func TestCheckpoint(t *testing.T) {
	dev := kerneltest.Device(t)
	const rows, width, depth = 64, 32, 6
	weights, err := dev.NewBuffer("weights", 4*width*width*2)
	if err != nil {
		t.Fatal(err)
	}
	defer weights.Close()
	grads, err := dev.NewBuffer("gradients", 4*width*width*2)
	if err != nil {
		t.Fatal(err)
	}
	defer grads.Close()
	x, err := dev.NewBuffer("x", 4*rows*width)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for _, b := range []*engine.Buffer{weights, x} {
		data := make([]byte, b.Size())
		for i := range data {
			data[i] = byte(i * 7 % 251)
			if i%4 == 3 { // sign and exponent: about 0.1
				data[i] = []byte{0x3d, 0xbd}[i/4%3%2]
			}
		}
		if err := dev.Upload(b.All(), data); err != nil {
			t.Fatal(err)
		}
	}
	run := func(wrap func(tape *Tape, block func() *Var) *Var) (gradient []byte, arena int64) {
		p := engine.NewProgram(dev, "checkpoint")
		defer p.Close()
		tape := New(p)
		part := func(b *engine.Buffer, i int) kernels.Tensor {
			return kernels.View(b.Range(int64(i)*4*width*width, 4*width*width), width, width)
		}
		a := tape.Param("a", part(weights, 0), part(grads, 0))
		b := tape.Param("b", part(weights, 1), part(grads, 1))
		v := tape.Leaf(kernels.View(x.All(), rows, width))
		for range depth {
			from := v
			inner := func() *Var { return tape.SiLU(tape.Linear(from, a, nil, nil)) }
			wrap(tape, inner) // unused
			v = wrap(tape, func() *Var { return tape.Linear(wrap(tape, inner), b, nil, from) })
		}
		seed := kernels.Temp(p, "seed", rows, width)
		p.Copy(seed.Range, x.All())
		tape.Seed(v, seed)
		tape.Backward()
		if err := p.Build(); err != nil {
			t.Fatal(err)
		}
		sub, err := p.Submit(nil, []engine.Range{grads.All()})
		if err != nil {
			t.Fatal(err)
		}
		data, err := sub.Wait()
		if err != nil {
			t.Fatal(err)
		}
		return data[0], p.ArenaBytes()
	}
	want, before := run(func(_ *Tape, block func() *Var) *Var { return block() })
	got, after := run((*Tape).Checkpoint)
	if !bytes.Equal(got, want) || bytes.Equal(want, make([]byte, len(want))) {
		t.Error("gradients with checkpoints differ, or are zero")
	}
	if t.Logf("arena %d bytes, with checkpoints %d", before, after); after >= before {
		t.Error("checkpoints save no memory")
	}
}
