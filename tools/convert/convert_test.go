// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"jitvk/model/checkpoint"
	"jitvk/model/run"
)

// stateDict lists the official network's state dict as its code builds it (models.py of the JiT repository).
func stateDict(size, patch, dim, depth, heads, hidden, bottleneck, classes, context int) map[string][]int {
	tokens := (size / patch) * (size / patch)
	out := map[string][]int{
		"pos_embed":                             {1, tokens, dim},
		"in_context_posemb":                     {1, context, dim},
		"t_embedder.mlp.0.weight":               {dim, 256},
		"t_embedder.mlp.0.bias":                 {dim},
		"t_embedder.mlp.2.weight":               {dim, dim},
		"t_embedder.mlp.2.bias":                 {dim},
		"y_embedder.embedding_table.weight":     {classes + 1, dim},
		"x_embedder.proj1.weight":               {bottleneck, 3, patch, patch},
		"x_embedder.proj2.weight":               {dim, bottleneck, 1, 1},
		"x_embedder.proj2.bias":                 {dim},
		"final_layer.norm_final.weight":         {dim},
		"final_layer.linear.weight":             {3 * patch * patch, dim},
		"final_layer.linear.bias":               {3 * patch * patch},
		"final_layer.adaLN_modulation.1.weight": {2 * dim, dim},
		"final_layer.adaLN_modulation.1.bias":   {2 * dim},
	}
	for i := range depth {
		for name, shape := range map[string][]int{
			"norm1.weight": {dim}, "norm2.weight": {dim}, "attn.q_norm.weight": {dim / heads}, "attn.k_norm.weight": {dim / heads},
			"attn.qkv.weight": {3 * dim, dim}, "attn.qkv.bias": {3 * dim}, "attn.proj.weight": {dim, dim}, "attn.proj.bias": {dim},
			"mlp.w12.weight": {2 * hidden, dim}, "mlp.w12.bias": {2 * hidden}, "mlp.w3.weight": {dim, hidden}, "mlp.w3.bias": {dim},
			"adaLN_modulation.1.weight": {6 * dim, dim}, "adaLN_modulation.1.bias": {6 * dim},
		} {
			out[fmt.Sprintf("blocks.%d.%s", i, name)] = shape
		}
	}
	return out
}

// TestNamesAndShapes: our parameters are the official ones, name by name, at the official sizes.
func TestNamesAndShapes(t *testing.T) {
	for name, want := range map[string]map[string][]int{
		"jit-b16": stateDict(256, 16, 768, 12, 12, 2048, 128, 1000, 32),
		"jit-b32": stateDict(512, 32, 768, 12, 12, 2048, 128, 1000, 32),
		"jit-l16": stateDict(256, 16, 1024, 24, 16, 2730, 128, 1000, 32),
		"jit-h16": stateDict(256, 16, 1280, 32, 16, 3413, 256, 1000, 32),
	} {
		preset, err := run.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		c := preset.Model
		delete(want, positions) // fixed, not a parameter
		for _, p := range c.Params() {
			if !slices.Equal(official(c, p), want[p.Name]) {
				t.Errorf("%s: %s is %v, officially %v", name, p.Name, official(c, p), want[p.Name])
			}
			delete(want, p.Name)
		}
		if len(want) > 0 {
			t.Errorf("%s lacks %v", name, want)
		}
	}
}

// synthetic writes a small state dict whose every value is another.
func synthetic(t *testing.T, change func(map[string]checkpoint.Tensor)) (path string) {
	rnd := rand.New(rand.NewPCG(1, 2))
	tensors := map[string]checkpoint.Tensor{}
	for name, shape := range stateDict(16, 4, 32, 2, 2, 85, 8, 3, 2) {
		n := 1
		for _, d := range shape {
			n *= d
		}
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(rnd.NormFloat64())
			if name == positions { // numpy's way: [sin, cos] of the column, then of the row
				token, k := i/32, i%32
				place := []int{token % 4, token % 4, token / 4, token / 4}[k/8]
				angle := float64(place) / math.Pow(10000, float64(k%8)/8)
				values[i] = float32([]func(float64) float64{math.Sin, math.Cos}[k/8%2](angle))
			}
		}
		tensors[name] = checkpoint.F32(prefix+name, values, shape...)
	}
	if change != nil {
		change(tensors)
	}
	var list []checkpoint.Tensor
	for _, x := range tensors {
		list = append(list, x)
	}
	path = filepath.Join(t.TempDir(), "official.safetensors")
	if err := checkpoint.Save(path, nil, list); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestThereAndBack: what is imported and exported again is the same file, byte for byte, and the last layer's rows lie where
// Fold looks for them.
func TestThereAndBack(t *testing.T) {
	from := synthetic(t, nil)
	dir := t.TempDir()
	ours, back := filepath.Join(dir, "ours.safetensors"), filepath.Join(dir, "back.safetensors")
	for _, args := range [][]string{{"-context-start", "1", "import", from, ours}, {"export", ours, back}} {
		if err := command(context.Background(), args, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	a, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(back)
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("%d bytes came back as %d others (%v)", len(a), len(b), err)
	}
	official, err := checkpoint.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer official.Close()
	mine, err := checkpoint.Open(ours)
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	theirs, err := official.Float32(prefix + "final_layer.linear.bias")
	if err != nil {
		t.Fatal(err)
	}
	got, err := mine.Float32("final_layer.linear.bias")
	if err != nil {
		t.Fatal(err)
	}
	for row := range 4 {
		for column := range 4 {
			for channel := range 3 {
				if want := theirs[(row*4+column)*3+channel]; got[channel*16+row*4+column] != want {
					t.Fatalf("channel %d of pixel (%d,%d) is %g, want %g", channel, row, column, got[channel*16+row*4+column], want)
				}
			}
		}
	}
}

func TestMisuse(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct {
		change func(map[string]checkpoint.Tensor)
		says   string
	}{
		"a tensor is missing": {func(m map[string]checkpoint.Tensor) { delete(m, "blocks.1.mlp.w3.bias") }, "net.blocks.1.mlp.w3.bias"},
		"one is too many": {func(m map[string]checkpoint.Tensor) { m["x"] = checkpoint.F32("net.extra", []float32{1}, 1) },
			"net.extra"},
		"another shape": {func(m map[string]checkpoint.Tensor) {
			m["blocks.0.norm1.weight"] = checkpoint.F32("net.blocks.0.norm1.weight", []float32{1}, 1)
		}, "net.blocks.0.norm1.weight"},
		"other positions": {func(m map[string]checkpoint.Tensor) { clear(m[positions].Data) }, "sines"},
		"another network": {func(m map[string]checkpoint.Tensor) { delete(m, "x_embedder.proj1.weight") }, "official JiT"},
	} {
		to := filepath.Join(dir, "out.safetensors")
		err := command(context.Background(), []string{"-context-start", "1", "import", synthetic(t, test.change), to}, io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v does not say %q", name, err, test.says)
		}
		if _, err := os.Stat(to); err == nil {
			t.Fatalf("%s: a file was written", name)
		}
	}
	err := command(context.Background(), []string{"import", synthetic(t, nil), filepath.Join(dir, "out.safetensors")}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "-context-start") {
		t.Errorf("a size of no preset: %v", err)
	}
}

// TestEveryNameIsDocumented: docs/checkpoints.md has each parameter of each preset.
func TestEveryNameIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/checkpoints.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`^blocks\.\d+\.`)
	for _, name := range run.Presets() {
		preset, err := run.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		c := preset.Model
		for _, p := range c.Params() {
			if generic := block.ReplaceAllString(p.Name, "blocks.N."); !bytes.Contains(page, []byte("`"+generic+"`")) {
				t.Fatalf("%s: %s is not in docs/checkpoints.md", name, generic)
			}
		}
	}
}
