// SPDX-License-Identifier: MIT

package kernels_test

import (
	"flag"
	"testing"

	"jitvk/kernels/kerneltest"
)

// usualDraws is how many calls of an op a property test draws, unless drawsGiven: -rapid.checks or -rapid.seed asks for others.
const usualDraws = "36"

var drawsGiven bool

// fewerDraws makes them a dozen until what it returns is called, except in the whole sweep.
func fewerDraws() (restore func()) {
	if drawsGiven || kerneltest.All() {
		return func() {}
	}
	flag.Set("rapid.checks", "12")
	return func() { flag.Set("rapid.checks", usualDraws) }
}

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Visit(func(f *flag.Flag) { drawsGiven = drawsGiven || f.Name == "rapid.checks" || f.Name == "rapid.seed" })
	if !drawsGiven { // a few dozen draws, the same ones every time; make fuzz asks for more
		flag.Set("rapid.checks", usualDraws)
		flag.Set("rapid.seed", "20251123")
	}
	names := make([]string, len(opCases))
	for i, op := range opCases {
		names[i] = op.name
	}
	kerneltest.Ops(names...)
	kerneltest.Main(m)
}
