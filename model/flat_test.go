// SPDX-License-Identifier: MIT

package model

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
)

// flat is memory for the model's parameters, all zero.
func flat(t *testing.T, dev *engine.Device, m *Model) *Flat {
	t.Helper()
	f, err := m.Layout.NewFlat(dev, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	if err := dev.Once("zero", f.Zero); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestPieces cuts a layout for ever smaller allocations: every parameter lies in one piece, no piece is larger than allowed but one
// of a single parameter, and none could take the next parameter too.
func TestPieces(t *testing.T) {
	for name, c := range small() {
		l := c.Layout()
		longest := 0
		for _, p := range l.Params {
			longest = max(longest, alignedLen(p))
		}
		for _, most := range []int64{1 << 40, bytesOf(l), bytesOf(l) - 4, 4 * int64(longest) * 2, 4 * int64(longest), 256} {
			cuts, at := l.cuts(most), 0
			for _, p := range l.Params {
				if at+1 < len(cuts) && l.offset[p.Name] == cuts[at+1] {
					if next := 4 * int64(l.offset[p.Name]-cuts[at]+alignedLen(p)); next <= most {
						t.Errorf("%s, pieces of %d bytes: one ends before %s, with which it has %d", name, most, p.Name, next)
					}
					at++
				}
				begin, end := l.offset[p.Name], l.offset[p.Name]+alignedLen(p)
				if begin < cuts[at] || end > cuts[at+1] {
					t.Errorf("%s, pieces of %d bytes: %s is cut: %d to %d, the piece %d to %d", name, most, p.Name, begin, end, cuts[at],
						cuts[at+1])
				}
				if size := 4 * int64(cuts[at+1]-cuts[at]); size > most && cuts[at+1]-cuts[at] != alignedLen(p) {
					t.Errorf("%s, pieces of %d bytes: one has %d", name, most, size)
				}
			}
			if at != len(cuts)-2 {
				t.Errorf("%s, pieces of %d bytes: %d pieces, parameters in %d", name, most, len(cuts)-1, at+1)
			}
			if whole := len(cuts) == 2; whole != (most >= bytesOf(l)) {
				t.Errorf("%s, %d bytes in pieces of %d: %d pieces", name, bytesOf(l), most, len(cuts)-1)
			}
		}
	}
}

// TestValuesInPieces: what is uploaded into pieces is what one piece holds, gaps of zeros included, and each parameter is found.
func TestValuesInPieces(t *testing.T) {
	dev, c := kerneltest.Device(t), small()["the paper's"]
	l, want := c.Layout(), c.Init(3)
	var wholes [2][]byte
	for i, most := range []int64{1 << 40, 4 * 64 * 40} {
		f := &Flat{layout: l, dev: dev, cuts: l.cuts(most)}
		for j, first := range f.cuts[:len(f.cuts)-1] {
			b, err := dev.NewBuffer("piece", 4*int64(f.cuts[j+1]-first))
			if err != nil {
				t.Fatal(err)
			}
			f.pieces = append(f.pieces, b)
		}
		t.Cleanup(f.Close)
		if err := f.Init(3); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d pieces", len(f.pieces))
		whole := new(bytes.Buffer)
		if err := dev.DownloadTo(whole, f.Ranges()...); err != nil {
			t.Fatal(err)
		}
		wholes[i] = whole.Bytes()
		for _, p := range l.Params {
			got, err := dev.Download(f.View(p).Range)
			if err != nil || !slices.Equal(kernels.Floats(got), want[p.Name]) {
				t.Errorf("pieces of %d bytes: %s is not as uploaded (%v)", most, p.Name, err)
			}
		}
	}
	if !bytes.Equal(wholes[0], wholes[1]) {
		t.Error("pieces, one after another, hold other bytes than a single one")
	}
}

// bytesOf returns how much memory one float for each parameter takes.
func bytesOf(l *Layout) int64 { return 4 * int64(l.Floats) }

// set uploads named values, of which there is one for each parameter.
func set(t *testing.T, f *Flat, values map[string][]float32) {
	t.Helper()
	err := f.upload(func(p Param) (io.Reader, error) { return bytes.NewReader(kernels.Bytes(values[p.Name])), nil })
	if err != nil {
		t.Fatal(err)
	}
}
