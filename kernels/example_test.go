// SPDX-License-Identifier: MIT

package kernels_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
)

// An op checks its tensors and adds commands to a program. On a device that only plans nothing more happens.
func Example() {
	d, err := engine.Open(engine.Options{DryRun: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	p := engine.NewProgram(d, "product")
	defer p.Close()
	a, b, c := kernels.Temp(p, "a", 2, 3), kernels.Temp(p, "b", 3, 4), kernels.Temp(p, "c", 2, 4)
	kernels.MatMul(p, c, a, b, kernels.MatMulOptions{})
	fmt.Println("c is", c, "and takes", p.FLOPs(), "operations")

	defer func() { fmt.Println("c from a and a:", recover() != nil) }()
	kernels.MatMul(p, c, a, a, kernels.MatMulOptions{})
	// Output:
	// c is (2,4) and takes 48 operations
	// c from a and a: true
}

// A product of 2 x 2 matrices on a device: tensors in buffers, the product recorded and run once, the result read back. It prints
// [19 22 43 50].
func ExampleMatMul() {
	d, err := engine.Open(engine.Options{Select: os.Getenv("JITVK_DEVICE")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	var problems []error
	tensor := func(values ...float32) kernels.Tensor {
		b, err := d.NewBuffer("matrix", int64(4*len(values)))
		if err != nil {
			problems = append(problems, err)
			return kernels.Tensor{}
		}
		problems = append(problems, d.Upload(b.All(), kernels.Bytes(values)))
		return kernels.View(b.All(), 2, 2)
	}
	a, b, c := tensor(1, 2, 3, 4), tensor(5, 6, 7, 8), tensor(0, 0, 0, 0)
	if err := errors.Join(problems...); err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Once("product", func(p *engine.Program) { kernels.MatMul(p, c, a, b, kernels.MatMulOptions{}) }); err != nil {
		fmt.Println(err)
		return
	}
	data, err := d.Download(c.Range)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(kernels.Floats(data))
}

// TestExampleRuns holds the example to what its comment says. An example cannot skip where there is no device, so a test runs it.
func TestExampleRuns(t *testing.T) {
	kerneltest.Device(t)
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = to
	ExampleMatMul()
	os.Stdout = stdout
	to.Close()
	if got, err := io.ReadAll(from); err != nil || string(got) != "[19 22 43 50]\n" {
		t.Errorf("the example prints %q (%v)", got, err)
	}
}
