// SPDX-License-Identifier: MIT

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFaultsFit: each fault's old text is in its file once, and its test is one of its package. Whoever changes a shader so
// that a fault no longer fits changes the fault, too.
func TestFaultsFit(t *testing.T) {
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, f := range faults {
		text, err := os.ReadFile(filepath.Join(root, f.File))
		if err != nil {
			t.Error(err)
			continue
		}
		faulty, err := f.apply(string(text))
		if err != nil {
			t.Errorf("fault %d: %v", i+1, err)
		}
		if seen[f.File+faulty] {
			t.Errorf("fault %d: it is there twice", i+1)
		}
		seen[f.File+faulty] = true
		name, _, _ := strings.Cut(strings.Trim(f.test(), "^$"), "/")
		name = strings.TrimSuffix(name, "$")
		files, _ := filepath.Glob(filepath.Join(root, f.pkg(), "*_test.go"))
		found := false
		for _, file := range files {
			text, err := os.ReadFile(file)
			found = found || err == nil && strings.Contains(string(text), "func "+name+"(")
		}
		if !found {
			t.Errorf("fault %d: no %s in %s", i+1, name, f.pkg())
		}
	}
	if len(faults) < 40 {
		t.Errorf("only %d faults", len(faults))
	}
}
