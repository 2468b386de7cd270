// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBare: the folder's texts and its driver, which must run without anything else; a folder that is no kit is left alone.
func TestBare(t *testing.T) {
	t.Chdir("../..")
	out := filepath.Join(t.TempDir(), "kit")
	var said strings.Builder
	if err := command(context.Background(), []string{"-bare", "-out", out, "-peer", "no/such/file"}, &said); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "no PyTorch beside ours") || !strings.Contains(said.String(), "MiB") {
		t.Error(said.String())
	}
	for _, name := range []string{"lines.json", "predictions.json", "commit", "src/kernels", "src/engine", "src/shaders/step.glsl",
		"src/shaders/matmul/00_naive.comp"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
	results := t.TempDir()
	text, err := exec.Command(filepath.Join(out, "kit"), "-only", "^devices$", "-out", results).CombinedOutput()
	if err != nil || !strings.Contains(string(text), "could not be started") { // its program is not packed
		t.Errorf("%v: %s", err, text)
	}
	if err := command(context.Background(), []string{"-bare", "-out", out}, &said); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if err := os.WriteFile(filepath.Join(results, "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	err = command(context.Background(), []string{"-bare", "-out", results}, &said)
	if err == nil || !strings.Contains(err.Error(), "no kit") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(results, "mine")); err != nil {
		t.Error(err)
	}
}
