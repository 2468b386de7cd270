// SPDX-License-Identifier: MIT

package trainer

import (
	"bytes"
	"testing"

	"jitvk/kernels/kerneltest"
)

// given is a step's pictures, packed, which every step reads again, and their classes.
type given struct {
	pictures []byte
	labels   []uint32
	batches  int64 // of a step
}

func (g given) Batch(dst []byte, number int64) {
	if n := len(g.pictures) / len(dst); int64(n) != g.batches || n*len(dst) != len(g.pictures) {
		panic("a batch of another size")
	}
	copy(dst, g.pictures[number%g.batches*int64(len(dst)):])
}

func (g given) Labels(dst []uint32, number int64) {
	copy(dst, g.labels[number%g.batches*int64(len(dst)):])
}

// TestBatchesAreNumbered: each batch of an accumulated step is asked for once and in order, and its bytes arrive on the device with
// zeros up to the next word, whatever the staging memory held.
func TestBatchesAreNumbered(t *testing.T) {
	c := parse(t, "-preset", "jit-quick", "-size", "15", "-patch", "5", "-dim", "8", "-depth", "2",
		"-heads", "1", "-batch", "1", "-accumulate", "3", "-steps", "9")
	s, err := NewState(kerneltest.Device(t), c.WithClasses([]string{"a", "b"}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	dirty, err := s.dev.NewBuffer("dirty", 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	defer dirty.Close()
	if err := s.dev.Upload(dirty.All(), bytes.Repeat([]byte{0xff}, 1<<16)); err != nil { // the steps' staging memory is what this had
		t.Fatal(err)
	}
	f := &recorded{t: t, picture: 3 * 15 * 15}
	for step := range 3 {
		p, err := s.Step(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Wait(); err != nil {
			t.Fatal(err)
		}
		if f.batches != int64(3*(step+1)) || f.labels != f.batches {
			t.Fatalf("after step %d: %d batches and %d times labels were asked for", step, f.batches, f.labels)
		}
		got, err := s.dev.Download(s.bytes.All())
		if err != nil {
			t.Fatal(err)
		}
		if want := append(bytes.Repeat([]byte{byte(f.batches)}, f.picture), 0); !bytes.Equal(got, want) {
			t.Errorf("after step %d the device holds %v…%v, want %v…%v", step, got[:4], got[len(got)-4:], want[:4], want[len(want)-4:])
		}
		if got, err = s.dev.Download(s.labels.All()); err != nil || got[0] != byte(f.labels%2) {
			t.Errorf("after step %d the device holds the label %v (%v), want %d", step, got, err, f.labels%2)
		}
	}
}

// recorded fills each batch with its number, counted from 1, and checks that it is asked for in order.
type recorded struct {
	t               *testing.T
	picture         int
	batches, labels int64
}

func (r *recorded) Batch(dst []byte, number int64) {
	if number != r.batches || len(dst) != r.picture || cap(dst) != r.picture {
		r.t.Errorf("batch %d in %d bytes after %d batches", number, len(dst), r.batches)
	}
	r.batches++
	for i := range dst {
		dst[i] = byte(r.batches)
	}
}

func (r *recorded) Labels(dst []uint32, number int64) {
	if number != r.labels {
		r.t.Errorf("labels of batch %d after %d batches", number, r.labels)
	}
	r.labels++
	dst[0] = uint32(r.labels % 2)
}
