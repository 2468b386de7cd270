// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"jitvk/kernels/kerneltest"
)

func TestMain(m *testing.M) { kerneltest.Main(m) }

func TestCompare(t *testing.T) {
	kerneltest.Device(t)
	to := filepath.Join(t.TempDir(), "two")
	args := []string{"-out", to, "-all", "-preset quick -steps 2 -batch 2", "--", "-predict x", "-predict v"}
	if err := command(context.Background(), args, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"-losses.png", "-samples.png"} {
		if m, err := load(to + name); err != nil || m.Bounds().Dx() < 50 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for says, args := range map[string][]string{
		"at least two": {"-out", to, "--", "-predict x"},
		"-out":         {"--", "-predict x", "-predict v"},
		"-predict y":   {"-out", to, "--", "-predict x", "-predict y"},
	} {
		if err := command(context.Background(), args, io.Discard); err == nil ||
			!strings.Contains(strings.ReplaceAll(err.Error(), `"`, ""), says) {
			t.Errorf("%v: %v does not say %q", args, err, says)
		}
	}
}
