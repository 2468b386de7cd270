// SPDX-License-Identifier: MIT

package kernels

import (
	"fmt"
	"slices"

	"jitvk/engine"
)

// Tensor is a view of device memory: fp32, row-major; labels and packed bytes are 32-bit words in the same place.
//
// A tensor of shape (N…, C) is a number of rows of C contiguous elements. Rows lie Ld elements apart, the first of them Off
// elements into Range; Ld 0 means contiguous rows. Only kernels that say so take tensors whose rows are apart. For a heads
// tensor (B,T,H,D) a row is one token's H*D elements, so that q, k and v can be views of one fused (B,T,3C) tensor.
//
// A tensor of Precision FP16 or BF16 is in halves: two bytes an element, the first of two in a word's low bits. Shaders move
// them four at a time, so C, Ld and Off are multiples of four. Only kernels that say so take halves; others panic.
type Tensor struct {
	Shape     []int
	Range     engine.Range
	Ld, Off   int // elements
	Precision Precision

	apart bool // the op that has it tells its shader Ld and Off (byRows, asMatrices)
}

// View returns a contiguous tensor over the start of a range. It panics when the range is too small.
func View(r engine.Range, shape ...int) Tensor {
	t := Tensor{Shape: shape}
	t.Range = r.Sub(0, t.bytes())
	return t
}

// Temp returns a contiguous tensor in a temporary of the program.
func Temp(p *engine.Program, label string, shape ...int) Tensor {
	return TempOfPrecision(p, label, FP32, shape...)
}

// TempOfPrecision is Temp for a tensor that may be in halves.
func TempOfPrecision(p *engine.Program, label string, precision Precision, shape ...int) Tensor {
	t := Tensor{Shape: shape, Precision: precision}
	t.Range = p.Temp(label, t.bytes()).All()
	return t
}

// Len returns the number of elements.
func (t Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Reshape returns the same contiguous elements under another shape.
func (t Tensor) Reshape(shape ...int) Tensor {
	out := Tensor{Shape: shape, Range: t.Range, Precision: t.Precision}
	if out.Len() != t.Len() || !t.Contiguous() || !whole(t.Shape) || !whole(shape) {
		check(false, "Reshape", "%v to %v", t, shape)
	}
	return out
}

// Rows returns the view of a heads tensor (B,T,H,D), or of any other, as (rows, row length) with the same Ld and Off.
// heads is how many of the last dimensions make up a row: 1 for (N…,C), 2 for (B,T,H,D).
func (t Tensor) Rows(heads int) (rows, width int) {
	rows, width = 1, 1
	for i, d := range t.Shape {
		if i < len(t.Shape)-heads {
			rows *= d
		} else {
			width *= d
		}
	}
	return rows, width
}

// Contiguous reports whether the elements fill the start of the range without gaps.
func (t Tensor) Contiguous() bool {
	_, width := t.Rows(t.rowDims())
	return t.Off == 0 && t.ldOr(width) == width
}

// Read, Write and ReadWrite bind the tensor's memory to a shader that knows no halves: they panic where the tensor is in halves.
func (t Tensor) Read() engine.Binding  { return t.floats().read() }
func (t Tensor) Write() engine.Binding { return t.floats().write() }
func (t Tensor) ReadWrite() engine.Binding {
	return t.floats().touching(engine.ReadWrite(t.bound()))
}

// read and write bind it to a shader that is told the precision.
func (t Tensor) read() engine.Binding  { return t.touching(engine.Read(t.bound())) }
func (t Tensor) write() engine.Binding { return t.touching(engine.Write(t.bound())) }

// touching says that of the tensor's range a shader touches the tensor's rows.
func (t Tensor) touching(b engine.Binding) engine.Binding {
	rows, width := 1, t.Len() // contiguous: one row
	if t.apart {
		rows, width = t.rows(), t.width()
	}
	size := t.Precision.size()
	return b.Rows(size*int64(t.Off), size*int64(width), size*int64(t.Ld), int64(rows))
}

// bound is the range that a shader gets. Every tensor of every op comes by here, after it was cut into what a binding can hold.
func (t Tensor) bound() engine.Range {
	if !t.apart && !t.Contiguous() {
		check(false, "rows that lie apart", "%v, and the op that was given it takes contiguous tensors only", t)
	}
	return t.checked("a tensor that no op can take").Range
}

// floats is t. It panics unless t is fp32.
func (t Tensor) floats() Tensor {
	if t.Precision != FP32 {
		check(false, "a tensor in halves", "%v, and the op that was given it takes fp32 only", t)
	}
	return t
}

// update is Update for a shader that is told the precision.
func (t Tensor) update(acc bool) engine.Binding {
	if acc {
		return t.touching(engine.ReadWrite(t.bound()))
	}
	return t.write()
}

func (t Tensor) bytes() int64 { return t.Precision.size() * int64(t.Len()) }

// Update binds a destination: written, or read and added to when acc is set.
func (t Tensor) Update(acc bool) engine.Binding {
	if acc {
		return t.ReadWrite()
	}
	return t.Write()
}

// A shader sees a tensor in one of two ways. Most count its elements from the start of the range on and want them contiguous. Some
// are told Ld and Off; their ops hand them a tensor by rows (byRows) or a batch of matrices (asMatrices), and cut pieces of it.
// Either way a tensor passes checked before a shader gets it, so that no shader reaches beyond its range.

// maxElements bounds the elements of a tensor far above any memory, so that products of its dimensions cannot overflow.
const maxElements = 1 << 40

// checked is t. It panics where fault has something to say.
func (t Tensor) checked(op string) Tensor {
	if fault := t.fault(); fault != "" {
		check(false, op, "%s", fault)
	}
	return t
}

// fault says what is wrong with a tensor by itself: a dimension, rows that overlap, halves that are not in fours, or a range that
// does not hold all of it; "" where nothing is.
func (t Tensor) fault() string {
	if !t.Precision.known() || len(t.Shape) == 0 {
		return fmt.Sprintf("%v: one dimension or more, and fp32, fp16 or bf16 wanted", t)
	}
	if !whole(t.Shape) {
		return fmt.Sprintf("%v: dimensions of 1 and more wanted, none of them 0, and no more than %d elements", t, int64(maxElements))
	}
	rows, width := t.Rows(t.rowDims())
	ld := t.ldOr(width)
	switch {
	case ld < width || ld > maxElements/rows:
		return fmt.Sprintf("%v: rows of %d elements lie %d apart", t, width, ld)
	case t.Off < 0 || t.Off > maxElements:
		return fmt.Sprintf("%v: the first row begins %d elements into the range", t, t.Off)
	case t.Precision != FP32 && (t.apart && (width|ld|t.Off)%4 != 0 || t.Len()%4 != 0):
		return fmt.Sprintf("%v: halves in multiples of four wanted", t)
	case t.reach() > t.Range.Size():
		return fmt.Sprintf("%v: %d bytes do not fit into %d", t, t.reach(), t.Range.Size())
	}
	return ""
}

// rowDims is how many of the last dimensions make up a row: 2 of heads (B,T,H,D) whose tokens lie apart, else 1.
func (t Tensor) rowDims() int {
	if len(t.Shape) == 4 && t.Ld > t.Shape[3] {
		return 2
	}
	return 1
}

// ldOr is the distance of rows that are width elements long.
func (t Tensor) ldOr(width int) int {
	if t.Ld == 0 {
		return width
	}
	return t.Ld
}

// byRows returns the tensor as rows (rows, width), width being the product of its last dims dimensions.
func (t Tensor) byRows(op string, dims int) Tensor {
	if len(t.Shape) < dims || !whole(t.Shape) {
		check(false, op, "%v: %d dimensions or more wanted, none of them 0", t, dims)
	}
	rows, width := t.Rows(dims)
	return t.view(op, rows, width)
}

// asMatrices returns the tensor as a batch of matrices (batch, rows, cols): of one, whose rows are all leading dimensions, or of as
// many as its first dimension says.
func (t Tensor) asMatrices(op string, batched bool) Tensor {
	if len(t.Shape) < 2 || !whole(t.Shape) {
		check(false, op, "%v: two dimensions or more wanted, none of them 0", t)
	}
	if batched {
		return t.view(op, t.Shape...)
	}
	rows, cols := t.Rows(1)
	return t.view(op, 1, rows, cols)
}

// whole reports whether there are dimensions, each 1 or more, of no more than maxElements together.
func whole(shape []int) bool {
	n := 1
	for _, d := range shape {
		if d < 1 || d > maxElements/n {
			return false
		}
		n *= d
	}
	return len(shape) > 0
}

// view is the tensor under another shape of as long rows, for a shader that is told its Ld, which from here on is not 0, and Off.
func (t Tensor) view(op string, shape ...int) Tensor {
	t.Ld = t.ldOr(shape[len(shape)-1])
	t.Shape, t.apart = shape, true
	return t.checked(op).part(0, shape...)
}

// rows and width are those of a tensor by rows; of matrices, the rows of all of them, and their columns.
func (t Tensor) rows() int  { return t.Len() / t.width() }
func (t Tensor) width() int { return t.Shape[len(t.Shape)-1] }

// stride and offset are Ld and Off as shaders take them.
func (t Tensor) stride() uint32 { return uint32(t.Ld) }
func (t Tensor) offset() uint32 { return uint32(t.Off) }

// step returns the elements from one matrix of a batch to the next.
func (t Tensor) step() int { return t.Shape[1] * t.Ld }

// reach returns how far the elements reach into the range, in bytes.
func (t Tensor) reach() int64 {
	rows, width := t.Rows(t.rowDims())
	return t.Precision.size() * int64(t.Off+(rows-1)*t.ldOr(width)+width)
}

// words returns how many 32-bit words n elements of the tensor are.
func (t Tensor) words(n int) int { return int(t.Precision.size()) * n / 4 }

// inFours reports whether all rows start at, and are, multiples of four elements, so that they can be moved in fours.
func (t Tensor) inFours() bool { return (t.width()|t.Ld|t.Off)%4 == 0 }

// piece returns rows s.first to s.first+s.n-1 of a tensor by rows, or so many matrices of a batch.
func (t Tensor) piece(s span) Tensor {
	shape := slices.Clone(t.Shape)
	shape[0] = s.n
	return t.part(s.first*t.rows()/t.Shape[0], shape...)
}

// rowsOf returns rows s.first to s.first+s.n-1 of a batch of one matrix.
func (t Tensor) rowsOf(s span) Tensor { return t.part(s.first, 1, s.n, t.width()) }

// part returns what has a shape and begins after so many rows. Its range begins with the rows between which it lies, so that Off
// stays what it was, and ends with its last element.
func (t Tensor) part(skip int, shape ...int) Tensor {
	t.Shape = shape
	t.Range = t.Range.Sub(t.Precision.size()*int64(skip)*int64(t.Ld), t.reach())
	return t
}

// piece returns a span of a contiguous tensor whose items have width elements, as a flat tensor.
func piece(t Tensor, s span, width int) Tensor {
	out := t.Reshape(t.Len())
	out.Shape[0] = s.n * width
	out.Range = t.Range.Sub(t.Precision.size()*int64(s.first)*int64(width), out.bytes())
	return out
}

// String prints the shape, the stride where rows lie apart, and the precision of halves: (4,64,384), (4,64,6,64 ld 1152 off 384),
// (4,64,384 fp16).
func (t Tensor) String() string {
	s := "("
	for i, d := range t.Shape {
		if i > 0 {
			s += ","
		}
		s += fmt.Sprint(d)
	}
	if !t.Contiguous() {
		s += fmt.Sprintf(" ld %d off %d", t.Ld, t.Off)
	}
	if t.Precision != FP32 {
		s += " " + t.Precision.String()
	}
	return s + ")"
}
