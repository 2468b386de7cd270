// SPDX-License-Identifier: MIT

package ref_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryBackwardIsChecked: each backward function of this package is one that a test of gradients runs.
func TestEveryBackwardIsChecked(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	tests := ""
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			tests += string(text)
			continue
		}
		for _, m := range regexp.MustCompile(`(?m)^func (\w+Backward)\[`).FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
	}
	for _, name := range names {
		if !regexp.MustCompile(`(?s)func Test\w*Gradients?\(.{0,900}ref\.` + name + `\(`).MatchString(tests) {
			t.Errorf("no test of gradients runs ref.%s", name)
		}
	}
	if len(names) < 6 {
		t.Errorf("only %v found", names)
	}
}
