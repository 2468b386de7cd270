// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/model/run"
	"jitvk/train/trainer"
)

// TestRead: what RADV prints of two pipelines of a shader becomes a line with the worse of each number.
func TestRead(t *testing.T) {
	log := `a note of the loader: 5
pipeline: b [1 2]

*** SHADER STATS ***
VGPRs: 24
Spilled VGPRs: 0
Subgroups per SIMD: 16
LDS size: 0
Instructions: 240
pipeline: a [3]
VGPRs: 8
pipeline: b [2]
VGPRs: 12
Spilled VGPRs: 7
Subgroups per SIMD: 32
Instructions: 300
`
	want := `3 pipelines of 2 shaders compile

| shader | pipelines | spilled registers | registers a lane | subgroups a SIMD | shared memory | instructions |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| b | 2 | 7 | 24 | 16 | 0 | 300 |
| a | 1 | 0 | 8 | 0 | 0 | 0 |
`
	if got := table(read(strings.NewReader(log))); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := table(read(strings.NewReader("pipeline: a []\n"))); got != "1 pipelines of 1 shaders compile\n" {
		t.Errorf("without statistics: %q", got)
	}
}

// TestCompile: a device that only compiles announces the pipelines of a plan, each once, and holds no memory.
func TestCompile(t *testing.T) {
	if infos, err := engine.Devices(); err != nil || len(infos) == 0 {
		t.Skip("no Vulkan device")
	}
	seen := map[string]int{}
	d, err := engine.Open(engine.Options{DryRun: true, Compile: func(pipeline string) { seen[pipeline]++ }})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c, err := run.Parse([]string{"-preset", "tiny", "-batch", "2"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := trainer.NewState(d, c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(seen) < 20 {
		t.Errorf("%d pipelines: %v", len(seen), seen)
	}
	for name, n := range seen {
		if n != 1 || !strings.Contains(name, " [") {
			t.Errorf("%q was compiled %d times", name, n)
		}
	}
}

func TestMisuse(t *testing.T) {
	for _, args := range [][]string{{"-presets", "huge"}, {"-precisions", "fp8"}} {
		if err := command(context.Background(), args, nil); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v", args, err)
		}
	}
}
