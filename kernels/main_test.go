// SPDX-License-Identifier: MIT

package kernels_test

import (
	"flag"
	"testing"

	"jitvk/kernels/kerneltest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" || f.Name == "rapid.seed" })
	if !given { // a few dozen draws, the same ones every time; make fuzz asks for more
		flag.Set("rapid.checks", "36")
		flag.Set("rapid.seed", "20251123")
	}
	names := make([]string, len(opCases))
	for i, op := range opCases {
		names[i] = op.name
	}
	kerneltest.Ops(names...)
	kerneltest.Main(m)
}
