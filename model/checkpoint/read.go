// SPDX-License-Identifier: MIT

package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"

	"jitvk/kernels"
)

// Reasons, for errors.Is.
var (
	ErrDamaged = errors.New("not a whole safetensors file")
	ErrMissing = errors.New("no such tensor")
	ErrShape   = errors.New("another shape")
	ErrDType   = errors.New("another type")
)

// File is an open safetensors file. It may be read from several goroutines.
type File struct {
	Meta map[string]string // never nil

	path    string
	data    io.ReaderAt
	start   int64 // where the tensors' bytes begin in the file
	names   []string
	entries map[string]entry
	close   func() error
}

// Open reads and checks the header of path: whatever it returns can be read. Close it.
func Open(path string) (*File, error) {
	info, err := os.Stat(path) // before it is opened: a pipe would be waited for
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("checkpoint %s: %w: check the path, or train first", path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("checkpoint %s: %w but a folder or a device: name the .safetensors file itself", path, ErrDamaged)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	file, err := read(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", path, errors.Join(err, f.Close()))
	}
	file.path, file.close = path, f.Close
	return file, nil
}

// Close closes the file. Tensors already read stay.
func (f *File) Close() error { return f.close() }

// Names lists the tensors in the order in which they lie in the file.
func (f *File) Names() []string { return slices.Clone(f.names) }

// damaged is an ErrDamaged with its reason and what to do.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w (%s): take an earlier checkpoint, or copy the file again", ErrDamaged, fmt.Sprintf(format, args...))
}

// read checks a file of size bytes. The rules are those of the reference implementation's `SafeTensors::deserialize`, and
// in addition a name or a field that is there twice or unknown is an error.
func read(r io.ReaderAt, size int64) (*File, error) {
	var prefix [8]byte
	if size < int64(len(prefix)) {
		return nil, damaged("%d bytes long, cut short", size)
	}
	if _, err := r.ReadAt(prefix[:], 0); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > maxHeader {
		return nil, damaged("its first 8 bytes ask for a header of %d bytes", length)
	}
	start := 8 + int64(length)
	if start > size {
		return nil, damaged("%d bytes long, cut short inside its header of %d", size, length)
	}
	header := make([]byte, length)
	if _, err := r.ReadAt(header, 8); err != nil && !(err == io.EOF && start == size) {
		return nil, err
	}
	f := &File{Meta: map[string]string{}, data: r, start: start, entries: map[string]entry{}, close: func() error { return nil }}
	if err := f.parse(header); err != nil {
		return nil, damaged("its header: %s", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	slices.SortFunc(f.names, func(a, b string) int {
		x, y := f.entries[a].Offsets, f.entries[b].Offsets
		if by := slices.Compare(x, y); by != 0 {
			return by
		}
		return strings.Compare(a, b) // empty tensors at one place
	})
	var end int64
	for _, name := range f.names {
		if at := f.entries[name].Offsets; at[0] != end {
			return nil, damaged("tensor %q begins at byte %d of the data, the one before it ends at %d", name, at[0], end)
		}
		end = f.entries[name].Offsets[1]
	}
	switch have := size - start; {
	case have < end:
		return nil, damaged("%d of %d bytes of data, cut short", have, end)
	case have > end:
		return nil, damaged("%d bytes after its last tensor", have-end)
	}
	return f, nil
}

// parse fills in Meta, names and entries, each entry checked by itself.
func (f *File) parse(header []byte) error {
	d := json.NewDecoder(bytes.NewReader(header))
	d.DisallowUnknownFields()
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return errors.New("not a JSON object")
	}
	seenMeta := false
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name := token.(string) // the decoder allows nothing else as a key
		if name == metadataKey {
			if seenMeta {
				return errors.New(metadataKey + " is there twice")
			}
			seenMeta = true
			if err := d.Decode(&f.Meta); err != nil {
				return fmt.Errorf("%s: %w", metadataKey, err)
			}
			continue
		}
		var e entry
		if err := d.Decode(&e); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		if _, twice := f.entries[name]; twice {
			return fmt.Errorf("tensor %q is there twice", name)
		}
		size, known := dtypeBytes[e.DType]
		if !known {
			return fmt.Errorf("tensor %q: unknown dtype %q", name, e.DType)
		}
		if e.Shape == nil || len(e.Offsets) != 2 {
			return fmt.Errorf("tensor %q: no shape or not two data_offsets", name)
		}
		want, ok := byteLen(e.Shape, size)
		if !ok || e.Offsets[0] < 0 || e.Offsets[1] < e.Offsets[0] || e.Offsets[1]-e.Offsets[0] != want {
			return fmt.Errorf("tensor %q: shape %s of %s cannot lie in bytes %v", name, dims(e.Shape), e.DType, e.Offsets)
		}
		f.entries[name] = e
		f.names = append(f.names, name)
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return err
	}
	if f.Meta == nil { // "__metadata__": null
		f.Meta = map[string]string{}
	}
	if rest := bytes.TrimSpace(header[d.InputOffset():]); len(rest) > 0 {
		return fmt.Errorf("%d bytes after its closing brace", len(rest))
	}
	return nil
}

// Shape returns a tensor's shape without reading it.
func (f *File) Shape(name string) ([]int, error) {
	e, ok := f.entries[name]
	if !ok {
		return nil, f.missing(name)
	}
	return slices.Clone(e.Shape), nil
}

func (f *File) missing(name string) error {
	return fmt.Errorf("checkpoint %s: %w as %q among its %d: is it a checkpoint of another model?", f.path, ErrMissing, name, len(f.names))
}

// Tensor reads one tensor.
func (f *File) Tensor(name string) (Tensor, error) {
	e, ok := f.entries[name]
	if !ok {
		return Tensor{}, f.missing(name)
	}
	t := Tensor{Name: name, DType: e.DType, Shape: slices.Clone(e.Shape), Data: make([]byte, e.Offsets[1]-e.Offsets[0])}
	if len(t.Data) == 0 {
		return t, nil
	}
	// A reader may report the end of the file together with the last bytes.
	if n, err := f.data.ReadAt(t.Data, f.start+e.Offsets[0]); n < len(t.Data) {
		return Tensor{}, fmt.Errorf("checkpoint %s: tensor %q: %w", f.path, name, err)
	}
	return t, nil
}

// Float32 reads one tensor of F32, F16, BF16 or F64 as float32. Unless shape is left out, the tensor must have it: the error
// (ErrShape) names both.
func (f *File) Float32(name string, shape ...int) ([]float32, error) {
	r, err := f.floats(name, shape)
	if err != nil {
		return nil, err
	}
	data := make([]byte, 4*r.left)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, err
	}
	return kernels.Floats(data), nil
}

// Floats is Float32 as a stream of bytes, as devices take them: little endian, four a value. It ends with an error where a value is
// not finite.
func (f *File) Floats(name string, shape ...int) (io.Reader, error) {
	r, err := f.floats(name, shape)
	if err != nil {
		return nil, err
	}
	r.finite = true
	return r, nil
}

// floats returns the tensor's values, none of them read.
func (f *File) floats(name string, shape []int) (*floats, error) {
	e, ok := f.entries[name]
	if !ok {
		return nil, f.missing(name)
	}
	if len(shape) > 0 && !slices.Equal(e.Shape, shape) {
		return nil, fmt.Errorf("checkpoint %s: tensor %q has %w: expected %s, found %s: use the preset and flags that it was trained with",
			f.path, name, ErrShape, dims(shape), dims(e.Shape))
	}
	decode, ok := decoders[e.DType]
	if !ok {
		return nil, fmt.Errorf("checkpoint %s: tensor %q has %w: expected F32, F16, BF16 or F64, found %s: convert it first", f.path, name,
			ErrDType, e.DType)
	}
	size := dtypeBytes[e.DType]
	return &floats{file: f, name: name, decode: decode, at: f.start + e.Offsets[0], size: size, left: int(e.Offsets[1]-e.Offsets[0]) / size}, nil
}

// decoders make float32 of every type that has them.
var decoders = map[string]func([]byte) []float32{
	"F32": kernels.Floats, "F16": kernels.FP16.Floats, "BF16": kernels.BF16.Floats,
	"F64": func(data []byte) []float32 {
		x := make([]float32, len(data)/8)
		for i := range x {
			x[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:])))
		}
		return x
	},
}

// floats is a reader of a tensor's values.
type floats struct {
	file   *File
	name   string
	decode func([]byte) []float32
	finite bool   // refuse others
	at     int64  // the next value's place in the file
	size   int    // a value's bytes there
	left   int    // values to come
	raw    []byte // what was read of the file last
	ready  []byte // decoded and not yet given
}

// floatsAtOnce is how many values are decoded at a time.
const floatsAtOnce = 1 << 16

func (r *floats) Read(to []byte) (int, error) {
	if len(r.ready) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(to, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// next decodes the values that come next.
func (r *floats) next() error {
	n := min(r.left, floatsAtOnce)
	if r.raw == nil {
		r.raw = make([]byte, n*r.size)
	}
	raw := r.raw[:n*r.size]
	// A reader may report the end of the file together with the last bytes.
	if got, err := r.file.data.ReadAt(raw, r.at); got < len(raw) {
		return fmt.Errorf("checkpoint %s: tensor %q: %w", r.file.path, r.name, err)
	}
	values := r.decode(raw)
	for _, v := range values {
		if r.finite && v-v != 0 { // NaN or infinite
			return fmt.Errorf("checkpoint %s: tensor %q holds %v: its training diverged; take an earlier checkpoint", r.file.path, r.name, v)
		}
	}
	r.ready, r.at, r.left = kernels.Bytes(values), r.at+int64(len(raw)), r.left-n
	return nil
}
