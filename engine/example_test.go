// SPDX-License-Identifier: MIT

package engine_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"jitvk/engine"
)

// A program is planned on a device that allocates nothing. It has three temporaries of 1 kB, but takes memory for two: when c is first
// written, a has been read for the last time.
func Example() {
	d, err := engine.Open(engine.Options{DryRun: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	p := engine.NewProgram(d, "three temporaries")
	defer p.Close()
	a, b, c := p.Temp("a", 1024), p.Temp("b", 1024), p.Temp("c", 1024)
	p.Fill(a.All(), 7)
	p.Copy(b.All(), a.All())
	p.Copy(c.All(), b.All())
	if err := p.Build(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Len(), "commands in", p.ArenaBytes(), "bytes")
	// Output: 3 commands in 2048 bytes
}

// The same program on a device, with a buffer that lives on: recorded, run, read back. It prints [7 0 0 0 7 0 0 0].
func ExampleProgram_Run() {
	d, err := engine.Open(engine.Options{Select: os.Getenv("JITVK_DEVICE")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	out, err := d.NewBuffer("out", 8)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer out.Close()
	p := engine.NewProgram(d, "fill and copy")
	defer p.Close()
	a := p.Temp("a", 8)
	p.Fill(a.All(), 7)
	p.Copy(out.All(), a.All())
	if err := errors.Join(p.Build(), p.Run()); err != nil {
		fmt.Println(err)
		return
	}
	data, err := d.Download(out.All())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(data)
}

// TestExampleRuns holds the example to what its comment says. An example cannot skip where there is no device, so a test runs it.
func TestExampleRuns(t *testing.T) {
	d, err := engine.Open(engine.Options{Select: os.Getenv("JITVK_DEVICE")})
	if errors.Is(err, engine.ErrNoDriver) && os.Getenv("REQUIRE_GPU") != "1" {
		t.Skipf("no Vulkan device: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = to
	ExampleProgram_Run()
	os.Stdout = stdout
	to.Close()
	if got, err := io.ReadAll(from); err != nil || string(got) != "[7 0 0 0 7 0 0 0]\n" {
		t.Errorf("the example prints %q (%v)", got, err)
	}
}
