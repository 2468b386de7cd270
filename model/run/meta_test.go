// SPDX-License-Identifier: MIT

package run

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jitvk/engine"
	"jitvk/kernels/tune"
	"jitvk/model/checkpoint"
)

// old is the metadata of a checkpoint as commit f6bdbc9 wrote it, before this package was there.
var old = map[string]string{
	"choices": `{"device":"llvmpipe-llvm-15-0-6-256-bits-2cc76aaa","ways":{"matmul fp32 nt 1x832x384x128":"{matmul/03_vector 0 1}"}}`,
	"config": `{"model":{"preset":"jit-quick","size":32,"patch":8,"stride":6,"dim":32,"depth":2,"heads":1,"hidden":88,"norm":"rms",` +
		`"time_dim":256,"time_hidden":128,"time_scale":1,"rope_base":10000,"value_first":false,"window":"sine","zero_output":true,` +
		`"arch":"jit","classes":2,"bottleneck":64,"context":4,"context_start":1,"label_drop":0.1,"predict":"x",` +
		`"loss":"v","noise_scale":1,"mu":-0.8,"sigma":0.8,"shift":false},"labels":"Smiling","batch":4,"accumulate":2,` +
		`"steps":30,"lr":0.002,"warmup":100,"decay":0.5,"ema":0.99,"ema2":0.9,"clip":1,"precision":"fp16","seed":7,"flip":true,` +
		`"class_names":["not Smiling","Smiling"]}`,
	"data":       "20000 pictures, CRC-32C 4d677961",
	"format":     "jitvk 1",
	"loss_scale": `{"scale":32768,"good":12,"skipped":1,"outcomes":[true]}`,
	"step":       "12",
}

// open writes a checkpoint without tensors and opens it.
func open(t *testing.T, meta map[string]string) *checkpoint.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), CheckpointName)
	if err := checkpoint.Save(path, meta, nil); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestOldMetadata: every value that a checkpoint of before has is read, and what is written says the same.
func TestOldMetadata(t *testing.T) {
	m, err := Load(open(t, old))
	if err != nil {
		t.Fatal(err)
	}
	want, err := Preset("jit-quick")
	if err != nil {
		t.Fatal(err)
	}
	want.Model.Dim, want.Model.Depth, want.Model.Heads, want.Model.Hidden, want.Model.Classes = 32, 2, 1, 88, 2
	want.Recipe = Recipe{Batch: 4, Accumulate: 2, Steps: 30, LR: 2e-3, Warmup: 100, Cooldown: 0.5, EMA: 0.99, EMA2: 0.9, Clip: 1,
		Flip: true}
	want.Labels, want.Precision, want.Seed, want.ClassNames = "Smiling", "fp16", 7, []string{"not Smiling", "Smiling"}
	choices := tune.Kept{Device: "llvmpipe-llvm-15-0-6-256-bits-2cc76aaa",
		Choices: engine.Choices{"matmul fp32 nt 1x832x384x128": "{matmul/03_vector 0 1}"}}
	if diff := cmp.Diff(Meta{want, 12, old["data"], []byte(old["loss_scale"]), choices}, m); diff != "" {
		t.Errorf("-want +read:\n%s", diff)
	}
	text, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load(open(t, text))
	if diff := cmp.Diff(m, again); err != nil || diff != "" {
		t.Errorf("%v, -written +read:\n%s", err, diff)
	}
	for key := range old {
		if key != "config" && text[key] != old[key] {
			t.Errorf("%s is written as %s, read as %s", key, text[key], old[key])
		}
	}
}

// TestOlderMetadata: what the first checkpoints did not say has its value of then.
func TestOlderMetadata(t *testing.T) {
	m, err := Load(open(t, map[string]string{"format": "jitvk 1", "step": "3",
		"config": `{"model":{"preset":"tiny","size":32,"patch":4,"stride":4,"dim":128,"depth":4,"heads":4,"hidden":344},"batch":16}`}))
	if err != nil {
		t.Fatal(err)
	}
	want, err := Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Model, m.Config.Model); diff != "" || m.Config.Accumulate != 1 || m.Data != "" || m.Choices.Device != "" {
		t.Errorf("%+v, -want +read:\n%s", m, diff)
	}
}

// TestBadMetadata: each is one line that says what cannot be used.
func TestBadMetadata(t *testing.T) {
	for key, values := range map[string][]string{
		"format":  {"", "pt"},
		"config":  {"", "{", `{"model":{}}`, strings.Replace(old["config"], `"heads":1`, `"heads":3`, 1)},
		"step":    {"", "x", "-1"},
		"choices": {"{", `{"device":3}`},
	} {
		for _, value := range values {
			meta := maps.Clone(old)
			meta[key] = value
			if _, err := Load(open(t, meta)); err == nil || !strings.Contains(err.Error(), key) && key != "config" ||
				strings.Contains(err.Error(), "\n") {
				t.Errorf("%s %q: %v", key, value, err)
			}
		}
	}
}

// TestDamagedRunIsNotResumed: a configuration that no run can have had is refused with the file's name, whatever is set anew.
func TestDamagedRunIsNotResumed(t *testing.T) {
	for was, is := range map[string]string{`"clip":1`: `"clip":-1`, `"decay":0.5`: `"decay":7`, `"lr":0.002`: `"lr":0`,
		`"batch":4`: `"batch":0`, `"steps":30`: `"steps":-30`, `"ema":0.99`: `"ema":1`, `"precision":"fp16"`: `"precision":"fp3"`} {
		meta := maps.Clone(old)
		if meta["config"] = strings.Replace(old["config"], was, is, 1); meta["config"] == old["config"] {
			t.Fatalf("%s is not there", was)
		}
		path := filepath.Join(t.TempDir(), CheckpointName)
		if err := checkpoint.Save(path, meta, nil); err != nil {
			t.Fatal(err)
		}
		value := is[strings.IndexByte(is, ':')+1:]
		_, err := Parse([]string{"-resume", path, "-steps", "40"})
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), strings.Trim(value, `"`)) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", is, err)
		}
	}
	path := filepath.Join(t.TempDir(), CheckpointName)
	if err := checkpoint.Save(path, old, nil); err != nil {
		t.Fatal(err)
	}
	if c, err := Parse([]string{"-resume", path, "-steps", "40"}); err != nil || c.Steps != 40 || c.Clip != 1 {
		t.Errorf("the sound one: %+v, %v", c, err)
	}
}
