// SPDX-License-Identifier: MIT

package model

import (
	"bytes"
	"io"
	"slices"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/model/checkpoint"
)

// alignFloats is where each parameter starts: at a multiple of 64 floats, so that it can be bound by itself.
const alignFloats = 64

// Layout is the order in which parameters lie in device memory. Weights, gradients, both moments of the optimizer and the averages
// share one layout, so that an optimizer step, a gradient norm or an all-reduce is one pass over all of it.
type Layout struct {
	Params []Param
	offset map[string]int // floats
	Floats int            // in all, gaps between parameters included
}

// Layout returns the places of the model's parameters.
func (c Config) Layout() *Layout {
	l := &Layout{Params: c.Params(), offset: map[string]int{}}
	for _, p := range l.Params {
		l.offset[p.Name] = l.Floats
		l.Floats += alignedLen(p)
	}
	return l
}

func alignedLen(p Param) int { return (p.Len() + alignFloats - 1) / alignFloats * alignFloats }

// cuts returns where pieces of at most so many bytes begin and, at last, where all ends, in floats: each piece as long as it can be
// without cutting a parameter. A parameter that is longer by itself is a piece of its own.
func (l *Layout) cuts(most int64) []int {
	at := []int{0}
	for _, p := range l.Params {
		begin := l.offset[p.Name]
		if first := at[len(at)-1]; begin > first && 4*int64(begin-first+alignedLen(p)) > most {
			at = append(at, begin)
		}
	}
	return append(at, l.Floats)
}

// Flat is a float for each of a model's parameters on a device: their weights, their gradients, a moment or an average. It is one
// vector in the layout's order, in as few buffers as the device's largest allocation permits: lavapipe allows 2 GiB, and jit-h16's
// weights take 3.5. What goes over all of it goes over the pieces in order.
type Flat struct {
	layout *Layout
	dev    *engine.Device
	cuts   []int            // of the layout, as many as there are pieces and one more
	pieces []*engine.Buffer // all but the last as long as they can be
}

// NewFlat allocates a vector. Its contents are undefined. It fails with the engine's error where a single parameter is larger than
// what the device allocates in one piece.
func (l *Layout) NewFlat(d *engine.Device, label string) (*Flat, error) {
	f := &Flat{layout: l, dev: d, cuts: l.cuts(d.Info().MaxAllocation)}
	for i, first := range f.cuts[:len(f.cuts)-1] {
		b, err := d.NewBuffer(label, 4*int64(f.cuts[i+1]-first))
		if err != nil {
			f.Close()
			return nil, err
		}
		f.pieces = append(f.pieces, b)
	}
	return f, nil
}

// Close frees the memory. A nil Flat has none.
func (f *Flat) Close() {
	if f == nil {
		return
	}
	for _, b := range f.pieces {
		b.Close()
	}
}

// Ranges returns the memory of the pieces, in order.
func (f *Flat) Ranges() []engine.Range {
	var out []engine.Range
	for _, b := range f.pieces {
		out = append(out, b.All())
	}
	return out
}

// Pieces returns each piece as a vector, in order: two Flats of one layout on one device have pieces of the same lengths.
func (f *Flat) Pieces() []kernels.Tensor {
	var out []kernels.Tensor
	for i, r := range f.Ranges() {
		out = append(out, kernels.View(r, f.cuts[i+1]-f.cuts[i]))
	}
	return out
}

// View returns one parameter.
func (f *Flat) View(p Param) kernels.Tensor {
	at := f.layout.offset[p.Name]
	i, found := slices.BinarySearch(f.cuts, at)
	if !found {
		i-- // the piece that begins before it
	}
	return kernels.View(f.pieces[i].Range(4*int64(at-f.cuts[i]), 4*int64(p.Len())), p.Shape...)
}

// Zero records that all of it becomes zero, the gaps between parameters too.
func (f *Flat) Zero(p *engine.Program) {
	for _, r := range f.Ranges() {
		p.Fill(r, 0)
	}
}

// Copy records that f becomes what from, of the same layout, is.
func (f *Flat) Copy(p *engine.Program, from *Flat) {
	for i, r := range f.Ranges() {
		p.Copy(r, from.pieces[i].All())
	}
}

// Load uploads a checkpoint's tensors of the parameters' names behind a prefix, a piece at a time. It refuses values that are not
// finite.
func (f *Flat) Load(file *checkpoint.File, prefix string) error {
	read := func(p Param) (io.Reader, error) { return file.Floats(prefix+p.Name, p.Shape...) }
	for _, p := range f.layout.Params { // names and shapes of all before the first value
		if _, err := read(p); err != nil {
			return err
		}
	}
	if f.dev.DryRun() { // which checks the values and uploads none
		_, err := io.Copy(io.Discard, &values{params: f.layout.Params, read: read})
		return err
	}
	return f.upload(read)
}

// upload fills all of f with what read gives for each parameter in turn, and the gaps with zeros.
func (f *Flat) upload(read func(Param) (io.Reader, error)) error {
	return f.dev.UploadFrom(&values{params: f.layout.Params, read: read}, f.Ranges()...)
}

// values is the bytes of a Flat as a stream: each parameter's reader is opened when it is its turn.
type values struct {
	params []Param // to come
	read   func(Param) (io.Reader, error)
	now    io.Reader // the parameter under way, up to the next one's place
}

func (v *values) Read(to []byte) (int, error) {
	for {
		if v.now != nil {
			n, err := v.now.Read(to)
			if n > 0 || err != io.EOF {
				return n, err
			}
		}
		if len(v.params) == 0 {
			return 0, io.EOF
		}
		p := v.params[0]
		r, err := v.read(p)
		if err != nil {
			return 0, err
		}
		v.params, v.now = v.params[1:], io.MultiReader(r, bytes.NewReader(make([]byte, 4*(alignedLen(p)-p.Len()))))
	}
}
