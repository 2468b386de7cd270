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
// Five words tell how an op's work is done. A ladder is a folder of shaders that do the same work, and a rung one of them:
// "matmul/03_vector" (rung.go). A class is work that gets the same choice, such as all products in fp32 of about 832 x 128 x 384
// (class.go). A choice is how the work of a class is done in full detail: rung, tile, slices (MatMulChoice). A guess is the choice for
// a class that nobody has measured (guessMatMul); package tune measures.
//
// Dimensions, everywhere: B batch, T tokens, C width, H heads, D head size, F SwiGLU hidden size, P patch size; images
// are (B,ImgC,ImgH,ImgW) with values in [-1,1]; flow time is tau, 0 noise and 1 image.
package kernels

import (
	"encoding/binary"
	"fmt"

	"jitvk/engine"
)

// check panics unless ok, with the line of the program that made the mistake, the op, the message and the tensors' shapes.
func check(ok bool, op, format string, args ...any) {
	if !ok {
		panic(engine.Caller() + "kernels: " + op + ": " + fmt.Sprintf(format, args...))
	}
}

// same panics unless all tensors are contiguous and of one length, which it returns.
func same(op string, ts ...Tensor) int {
	for _, t := range ts {
		if !whole(t.Shape) || !t.Contiguous() || t.Len() != ts[0].Len() {
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
	p.Dispatch(engine.Dispatch{Shader: shader, Spec: append([]uint32{uint32(local), uint32(block / local)}, spec...),
		Groups: grid(ceilDiv(n, block)), Push: push, Bind: bind, FLOPs: float64(n)})
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
	SkipBias1 float32 // in place of Bias1 where the update before was skipped
	SkipBias2 float32
	Reserved  uint32
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
