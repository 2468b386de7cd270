// SPDX-License-Identifier: MIT

// Package kernels records the project's compute shaders: one op, one function, one file, one twin in kernels/ref.
//
// A function checks the shapes of its tensors, chooses the shader and its sizes for the device, and adds one or more
// dispatches to a program. Nothing runs here; nothing is allocated but temporaries of the program. Destinations come
// first. A backward function takes a flag for each gradient: false writes it, true adds to it. No kernel adds floats
// with atomics, so the same device gives the same bits every time.
//
// Wrong shapes are misuse and panic with the shapes in the message.
//
// Dimensions, everywhere: B batch, T tokens, C width, H heads, D head size, F SwiGLU hidden size, P patch size; images
// are (B,ImgC,ImgH,ImgW) with values in [-1,1]; flow time is tau, 0 noise and 1 image.
package kernels

import (
	"encoding/binary"
	"fmt"

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
	if out.Len() != t.Len() || !t.Contiguous() || !positive(t.Shape) || !positive(shape) {
		panic(fmt.Sprintf("kernels: Reshape: %v to %v", t, shape))
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
	return engine.ReadWrite(t.floats().bound()).Touching(t.bytes())
}

// read and write bind it to a shader that is told the precision.
func (t Tensor) read() engine.Binding  { return engine.Read(t.bound()).Touching(t.bytes()) }
func (t Tensor) write() engine.Binding { return engine.Write(t.bound()).Touching(t.bytes()) }

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

func (t Tensor) bytes() int64 { return t.Precision.size() * int64(t.Len()) }

// Update binds a destination: written, or read and added to when acc is set.
func (t Tensor) Update(acc bool) engine.Binding {
	if acc {
		return t.ReadWrite()
	}
	return t.Write()
}

// check panics unless ok, with the op, the message and the tensors' shapes.
func check(ok bool, op, format string, args ...any) {
	if !ok {
		panic("kernels: " + op + ": " + fmt.Sprintf(format, args...))
	}
}

// same panics unless all tensors are contiguous and of one length, which it returns.
func same(op string, ts ...Tensor) int {
	for _, t := range ts {
		if !positive(t.Shape) || !t.Contiguous() || t.Len() != ts[0].Len() {
			check(false, op, "contiguous tensors of one size wanted, got %v", ts)
		}
	}
	return ts[0].Len()
}

// flag is a bool as shaders take it.
func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// Elementwise shaders share one shape: specialization constant 0 is the workgroup's size, constant 1 the number of
// elements an invocation visits; workgroup (x,y) owns the local*items elements from (y*65535+x)*local*items on.

// elementwise records a shader of that shape over n elements. Constants from 2 on are the shader's own.
func elementwise(p *engine.Program, shader string, n int, push any, spec []uint32, bind ...engine.Binding) {
	local, block := localSize(p), blockSize(p)
	p.Dispatch(engine.Dispatch{Shader: shader, Spec: append([]uint32{uint32(local), uint32(block / local)}, spec...), Groups: grid(ceilDiv(n, block)),
		Push: push, Bind: bind, FLOPs: float64(n)})
}

// grid spreads n workgroups over two dimensions of at most 65535, the most that every device takes. A shader finds its
// number as y*65535+x and leaves when it is past the end.
func grid(n int) [3]int { return [3]int{min(n, 65535), ceilDiv(n, 65535), 1} }

// StepBytes is the size of the step buffer: what changes from one replay to the next (shaders/step.glsl).
const StepBytes = 64

// Step is the step buffer's contents. Random numbers depend on Seed, Step and Image0 and on nothing else.
type Step struct {
	Seed      uint64
	Step      uint32     // counts optimizer steps from 0; 0 when sampling
	Image0    uint32     // index of the batch's first image within the step
	LR        float32    // learning rate
	Bias1     float32    // 1 - beta1^t, t counted from 1
	Bias2     float32    // 1 - beta2^t
	EMADecay  [2]float32 // of two averages
	LossScale float32
	Tau       float32 // flow time of a solver step
	DT        float32 // its length
	Guidance  float32 // sampling: weight of classifier-free guidance, 1 is none
	Spare     [3]uint32
}

// stepBuffer binds the tensor as a step buffer, of 16 words. It panics where it is none.
func (t Tensor) stepBuffer(op string) engine.Binding {
	check(t.Contiguous() && t.bytes() == StepBytes, op, "step buffer %v: %d words wanted", t, StepBytes/4)
	return t.Read()
}

// Data returns the step buffer's bytes.
func (s Step) Data() []byte {
	out, err := binary.Append(nil, binary.LittleEndian, s)
	if err != nil || len(out) != StepBytes {
		panic(fmt.Sprintf("kernels: Step is %d bytes, %d wanted (%v)", len(out), StepBytes, err))
	}
	return out
}
