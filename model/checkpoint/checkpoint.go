// SPDX-License-Identifier: MIT

package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"jitvk/engine/files"
	"jitvk/kernels"
)

// Tensor is a named array as it lies in a file.
type Tensor struct {
	Name  string
	DType string // "F32", "F16", "BF16", "U8", ...: see dtypeBytes
	Shape []int  // row-major; empty for a scalar
	Data  []byte // little endian, product of Shape times the type's size
}

// dtypeBytes has the size of one element of every type that we write or read.
var dtypeBytes = map[string]int{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1,
	"U16": 2, "I16": 2, "F16": 2, "BF16": 2,
	"U32": 4, "I32": 4, "F32": 4,
	"U64": 8, "I64": 8, "F64": 8,
}

// metadataKey is the one name in a header that is not a tensor's.
const metadataKey = "__metadata__"

// maxHeader is the longest header in bytes, the format's own bound.
const maxHeader = 100_000_000

// F32 is a float32 tensor of these values. It panics when shape and values disagree.
func F32(name string, values []float32, shape ...int) Tensor {
	t := Tensor{Name: name, DType: "F32", Shape: shape, Data: kernels.Bytes(values)}
	t.check()
	return t
}

// check panics unless the tensor is one that a file can hold.
func (t Tensor) check() {
	size, known := dtypeBytes[t.DType]
	if !known {
		panic(fmt.Sprintf("checkpoint: tensor %q: unknown dtype %q", t.Name, t.DType))
	}
	if t.Name == metadataKey {
		panic("checkpoint: no tensor can be called " + metadataKey)
	}
	if n, ok := byteLen(t.Shape, size); !ok || n != int64(len(t.Data)) {
		panic(fmt.Sprintf("checkpoint: tensor %q: shape %s of %s, but %d bytes of data", t.Name, dims(t.Shape), t.DType, len(t.Data)))
	}
}

// byteLen is the product of shape times size; false when it does not fit or a dimension is negative.
func byteLen(shape []int, size int) (int64, bool) {
	if slices.Contains(shape, 0) {
		return 0, !slices.ContainsFunc(shape, func(d int) bool { return d < 0 })
	}
	n := int64(size)
	for _, d := range shape {
		if d < 0 || n > math.MaxInt64/int64(d) {
			return 0, false
		}
		n *= int64(d)
	}
	return n, true
}

// dims writes a shape as (4,64).
func dims(shape []int) string {
	return "(" + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(shape)), ","), "[]") + ")"
}

// entry is a tensor in the header.
type entry struct {
	DType   string  `json:"dtype"`
	Shape   []int   `json:"shape"`
	Offsets []int64 `json:"data_offsets"` // begin and end in bytes after the header
}

// Save writes tensors and meta to path, replacing the file as a whole or, on an error, not at all. Tensors lie by falling element
// size and then by name, whatever order they are given in, so that all are aligned and equal content gives equal bytes.
func Save(path string, meta map[string]string, tensors []Tensor) error {
	return files.AtomicWrite(path, func(w io.Writer) error { return Write(w, meta, tensors) })
}

// Write writes the file that Save would.
func Write(w io.Writer, meta map[string]string, tensors []Tensor) error {
	specs, data := make([]Spec, len(tensors)), make(map[string][]byte, len(tensors))
	for i, t := range tensors {
		t.check()
		specs[i], data[t.Name] = Spec{t.Name, t.DType, t.Shape}, t.Data
	}
	return writeFrom(w, meta, specs, func(w io.Writer, inOrder []Spec) error {
		for _, s := range inOrder {
			if _, err := w.Write(data[s.Name]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Spec is a tensor whose bytes come later.
type Spec struct {
	Name, DType string
	Shape       []int
}

// SaveFrom is Save for tensors that are nowhere on the host as a whole. data is given them in the order in which they lie in the
// file and writes their bytes, one after another.
func SaveFrom(path string, meta map[string]string, specs []Spec, data func(w io.Writer, inOrder []Spec) error) error {
	return files.AtomicWrite(path, func(w io.Writer) error { return writeFrom(w, meta, specs, data) })
}

func writeFrom(w io.Writer, meta map[string]string, specs []Spec, data func(w io.Writer, inOrder []Spec) error) error {
	specs = slices.Clone(specs)
	slices.SortFunc(specs, func(a, b Spec) int {
		if by := dtypeBytes[b.DType] - dtypeBytes[a.DType]; by != 0 {
			return by
		}
		return strings.Compare(a.Name, b.Name)
	})
	header, size, err := header(meta, specs)
	if err != nil {
		return err
	}
	if err := binary.Write(w, binary.LittleEndian, uint64(len(header))); err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	counted := &counter{w: w}
	if err := data(counted, specs); err != nil {
		return err
	}
	if counted.n != size {
		panic(fmt.Sprintf("checkpoint: %d bytes of data written, the tensors' shapes have %d", counted.n, size))
	}
	return nil
}

// counter counts what it passes on.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// header returns the file's header for tensors in this order, and the size of their data.
func header(meta map[string]string, specs []Spec) (text []byte, size int64, err error) {
	seen := make(map[string]bool, len(specs))
	var header bytes.Buffer
	field := func(name string, value any) error { // ,"name":value
		key, err := json.Marshal(name)
		if err != nil {
			return err
		}
		text, err := json.Marshal(value) // the keys of a map come out sorted
		if err != nil {
			return err
		}
		separator := byte(',')
		if header.Len() == 0 {
			separator = '{'
		}
		header.WriteByte(separator)
		header.Write(key)
		header.WriteByte(':')
		header.Write(text)
		return nil
	}
	if meta == nil {
		meta = map[string]string{}
	}
	if err := field(metadataKey, meta); err != nil {
		return nil, 0, err
	}
	var at int64
	for _, t := range specs {
		if seen[t.Name] {
			panic(fmt.Sprintf("checkpoint: two tensors called %q", t.Name))
		}
		seen[t.Name] = true
		shape := t.Shape
		if shape == nil {
			shape = []int{} // a scalar's shape is [], not null
		}
		size, ok := byteLen(t.Shape, dtypeBytes[t.DType])
		if !ok {
			panic(fmt.Sprintf("checkpoint: tensor %q: shape %s of %s cannot be", t.Name, dims(t.Shape), t.DType))
		}
		end := at + size
		if err := field(t.Name, entry{t.DType, shape, []int64{at, end}}); err != nil {
			return nil, 0, err
		}
		at = end
	}
	header.WriteByte('}')
	for header.Len()%8 != 0 { // so that the data begins at a multiple of 8 bytes
		header.WriteByte(' ')
	}
	if header.Len() > maxHeader {
		return nil, 0, fmt.Errorf("the header takes %d bytes, the format's limit is %d: put less into the metadata", header.Len(), maxHeader)
	}
	return header.Bytes(), at, nil
}
