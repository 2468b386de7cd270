// SPDX-License-Identifier: MIT

// Package kerneltest runs kernels on the test device and compares what they wrote with a reference.
//
// Every tensor lies between guard words that are checked after the run, and outputs start as NaN, so that a kernel that
// writes too much or too little is caught whatever its numbers are.
package kerneltest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
)

var device struct {
	sync.Once
	*engine.Device
	err error
}

// Device returns the device that all tests of a package share. Without any driver it skips the test, or fails it where
// REQUIRE_GPU=1 says that there must be one. JITVK_DEVICE selects among several.
func Device(t testing.TB) *engine.Device {
	t.Helper()
	device.Do(func() {
		o := engine.Options{Select: os.Getenv("JITVK_DEVICE"), Slack: guardBytes} // so that guards are within a kernel's reach
		if os.Getenv("JITVK_VALIDATE") == "1" {
			o.Slack = 0 // validation would take neighbours that overlap by their slack for hazards
		}
		device.Device, device.err = engine.Open(o)
		if device.err == nil {
			fmt.Fprintln(os.Stderr, "test device:", device.Info())
		} else {
			fmt.Fprintln(os.Stderr, "NO VULKAN DEVICE:", device.err)
		}
	})
	if errors.Is(device.err, engine.ErrNoDriver) && os.Getenv("REQUIRE_GPU") != "1" {
		t.Skipf("no Vulkan device: %v", device.err)
	}
	if device.err != nil { // a wrong JITVK_DEVICE, a missing validation layer, …
		t.Fatal(device.err)
	}
	return device.Device
}

// All reports whether JITVK_TESTS=all asks for the whole sweep, as `make test-all` and .ci/run do. Without it a test leaves out
// what only repeats: a CPU driver compiles a shader anew for each set of specialization constants, 0.3 to 5 seconds each, and the
// whole sweep has 1500 sets. What a test leaves out stands beside its use of All; no op, rung or pass is, and no precision but bf16 of
// attention/02_shared. The slowest rungs share the cases of a test out among them (inTurn in kernels/matmul_test.go).
func All() bool { return os.Getenv("JITVK_TESTS") == "all" }

// Main runs a package's tests, prints the summary of all comparisons if asked to be verbose, closes the device, and then
// fails if the validation layer had anything to say, leaks included. Use it as TestMain's body.
func Main(m *testing.M) {
	code := m.Run()
	if testing.Verbose() {
		fmt.Print(Summary())
	}
	if device.Device != nil {
		device.Close()
	}
	for i, msg := range engine.ValidationMessages() {
		if i < 10 {
			fmt.Fprintln(os.Stderr, "validation:", msg)
		}
		code = 1
	}
	os.Exit(code)
}

const (
	guardBytes = 256        // before and after each tensor
	guardWord  = 0x7fabcdef // a NaN: a kernel that reads it shows
)

// Run is one run of kernels under test.
type Run struct {
	t      testing.TB
	dev    *engine.Device
	guards []engine.Range // [i] guards before and after a tensor
	bufs   []*engine.Buffer
}

// New starts a run; its memory is freed when the test ends.
func New(t testing.TB) *Run {
	t.Helper()
	r := &Run{t: t, dev: Device(t)}
	t.Cleanup(func() {
		for _, b := range r.bufs {
			b.Close()
		}
	})
	return r
}

// Input uploads data as a tensor.
func (r *Run) Input(data []float32, shape ...int) kernels.Tensor {
	r.t.Helper()
	return r.InputIn(kernels.FP32, data, shape...)
}

// InputIn uploads data as a tensor that may be in halves, rounded.
func (r *Run) InputIn(precision kernels.Precision, data []float32, shape ...int) kernels.Tensor {
	r.t.Helper()
	out := kernels.Tensor{Shape: shape}
	if out.Len() != len(data) {
		r.t.Fatalf("kerneltest: %d values for shape %v", len(data), shape)
	}
	return r.tensor(precision, Rounded(precision, data), shape)
}

// Output makes a tensor full of NaN.
func (r *Run) Output(shape ...int) kernels.Tensor {
	r.t.Helper()
	return r.OutputIn(kernels.FP32, shape...)
}

// OutputIn makes a tensor that may be in halves, full of NaN.
func (r *Run) OutputIn(precision kernels.Precision, shape ...int) kernels.Tensor {
	r.t.Helper()
	n := kernels.Tensor{Shape: shape}.Len()
	return r.tensor(precision, slices.Repeat([]float32{float32(math.NaN())}, n), shape)
}

// Words uploads raw 32-bit words, for packed bytes and the step buffer.
func (r *Run) Words(words []uint32) kernels.Tensor {
	r.t.Helper()
	data := make([]float32, len(words))
	for i, w := range words {
		data[i] = math.Float32frombits(w)
	}
	return r.tensor(kernels.FP32, data, []int{len(words)})
}

// Step uploads a step buffer.
func (r *Run) Step(s kernels.Step) kernels.Tensor {
	b := s.Data()
	words := make([]uint32, len(b)/4)
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return r.Words(words)
}

func (r *Run) tensor(precision kernels.Precision, data []float32, shape []int) kernels.Tensor {
	r.t.Helper()
	var raw []byte
	for _, v := range data {
		if precision == kernels.FP32 {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		} else {
			raw = binary.LittleEndian.AppendUint16(raw, Half(precision, v))
		}
	}
	size := int64(len(raw))
	buf, err := r.dev.NewBuffer("test tensor", guardBytes+size+guardBytes)
	if err != nil {
		r.t.Fatal(err)
	}
	r.bufs = append(r.bufs, buf)
	all := make([]byte, 0, buf.Size())
	for range guardBytes / 4 {
		all = binary.LittleEndian.AppendUint32(all, guardWord)
	}
	all = append(all, raw...)
	for range guardBytes / 4 {
		all = binary.LittleEndian.AppendUint32(all, guardWord)
	}
	if err := r.dev.Upload(buf.All(), all); err != nil {
		r.t.Fatal(err)
	}
	r.guards = append(r.guards, buf.Range(0, guardBytes), buf.Range(guardBytes+size, guardBytes))
	return kernels.Tensor{Shape: shape, Range: buf.Range(guardBytes, size), Precision: precision}
}

// Run records with f, runs the program once and checks the guards.
func (r *Run) Run(f func(p *engine.Program)) {
	r.t.Helper()
	if err := r.Try(f); err != nil {
		r.t.Fatal(err)
	}
}

// Try is Run, and returns the error.
func (r *Run) Try(f func(p *engine.Program)) error {
	r.t.Helper()
	if err := r.dev.Once(r.t.Name(), f); err != nil {
		return err
	}
	for i, g := range r.guards {
		for j, w := range r.words(g) {
			if w != guardWord {
				side := [...]string{"before", "after"}[i%2]
				return fmt.Errorf("tensor %d: word %d %s it was overwritten with %#x (%v)", i/2, j, side, w, math.Float32frombits(w))
			}
		}
	}
	return nil
}

func (r *Run) words(g engine.Range) []uint32 {
	r.t.Helper()
	b, err := r.dev.Download(g)
	if err != nil {
		r.t.Fatal(err)
	}
	out := make([]uint32, len(b)/4)
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return out
}

// Bits returns a tensor's memory as words, gaps between rows included.
func (r *Run) Bits(x kernels.Tensor) []uint32 { r.t.Helper(); return r.words(x.Range) }

// Floats returns a tensor's memory as floats, gaps between rows included.
func (r *Run) Floats(x kernels.Tensor) []float32 {
	r.t.Helper()
	var out []float32
	for _, w := range r.words(x.Range) {
		if x.Precision == kernels.FP32 {
			out = append(out, math.Float32frombits(w))
		} else {
			out = append(out, x.Precision.FromHalf(uint16(w)), x.Precision.FromHalf(uint16(w>>16)))
		}
	}
	return out
}

// Rand draws seeded test data.
type Rand struct{ *rand.Rand }

// NewRand returns a generator of its own stream.
func NewRand(seed uint64) Rand { return Rand{rand.New(rand.NewPCG(seed, 1))} }

// Normal returns n standard normal values.
func (r Rand) Normal(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.NormFloat64())
	}
	return out
}

// Uniform returns n values in [lo, hi).
func (r Rand) Uniform(n int, lo, hi float64) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(lo + (hi-lo)*r.Float64())
	}
	return out
}

// Widen returns the same values as float64.
func Widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}
