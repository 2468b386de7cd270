// SPDX-License-Identifier: MIT

package autograd_test

import (
	"fmt"

	"jitvk/autograd"
	"jitvk/engine"
	"jitvk/kernels"
)

// A SwiGLU block on a device that only plans. The tape records kernels into a program: those of the forward pass as ops
// are called, those of the backward pass in Backward. Build and Submit would run them.
func Example() {
	dev, err := engine.Open(engine.Options{DryRun: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	tensor := func(shape ...int) kernels.Tensor {
		b, err := dev.NewBuffer("tensor", 4*int64(kernels.Tensor{Shape: shape}.Len()))
		if err != nil {
			panic(err)
		}
		return kernels.View(b.All(), shape...)
	}
	tape := autograd.New(engine.NewProgram(dev, "example"))
	x := tape.Const(tensor(4, 64, 128))
	w12 := tape.Param("w12", tensor(2*344, 128), tensor(2*344, 128))
	w3 := tape.Param("w3", tensor(128, 344), tensor(128, 344))
	y := tape.Linear(tape.SwiGLU(tape.Linear(x, w12, nil, nil), false), w3, nil, x)
	fmt.Print(tape.Dump())
	tape.Seed(y, tensor(4, 64, 128))
	tape.Backward()
	// Output:
	// #0 linear (4,64,688) <- const(4,64,128) w12(688,128)
	// #1 swiglu (4,64,344) <- linear(4,64,688)
	// #2 linear (4,64,128) <- swiglu(4,64,344) w3(128,344) const(4,64,128)
}
