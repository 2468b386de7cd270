// SPDX-License-Identifier: MIT

package kernels_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"jitvk/kernels"
)

// TestStepIsTheShaders: Step has the words of shaders/step.glsl, of the same kinds and in the same order. A word's name begins with
// its field's, case and underscores aside: Seed's are seed_lo and seed_hi.
func TestStepIsTheShaders(t *testing.T) {
	source, err := os.ReadFile("../shaders/step.glsl")
	if err != nil {
		t.Fatal(err)
	}
	type word struct{ kind, name string }
	var words []word
	block := regexp.MustCompile(`(?s)buffer StepBuffer \{(.*?)\}`).FindSubmatch(source)
	if block == nil {
		t.Fatal("step.glsl declares no StepBuffer")
	}
	for _, line := range regexp.MustCompile(`(?m)^\s+(\w+) ([\w, ]+);`).FindAllSubmatch(block[1], -1) {
		for _, name := range strings.Split(string(line[2]), ",") {
			words = append(words, word{string(line[1]), strings.ReplaceAll(strings.TrimSpace(name), "_", "")})
		}
	}
	next := 0
	for _, f := range reflect.VisibleFields(reflect.TypeFor[kernels.Step]()) {
		kind := "uint"
		if e := f.Type; e.Kind() == reflect.Float32 || e.Kind() == reflect.Array && e.Elem().Kind() == reflect.Float32 {
			kind = "float"
		}
		for range f.Type.Size() / 4 {
			if next == len(words) || words[next].kind != kind || !strings.HasPrefix(words[next].name, strings.ToLower(f.Name)) {
				t.Fatalf("word %d is of %s, a %s; step.glsl has %v", next, f.Name, kind, words)
			}
			next++
		}
	}
	if next != len(words) || 4*next != kernels.StepBytes {
		t.Errorf("Step has %d words, step.glsl %d, StepBytes says %d bytes", next, len(words), kernels.StepBytes)
	}
}
