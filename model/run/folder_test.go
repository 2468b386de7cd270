// SPDX-License-Identifier: MIT

package run

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNextDir(t *testing.T) {
	base := filepath.Join(t.TempDir(), "a", "runs") // made on the way
	next := func(preset, want string) {
		t.Helper()
		dir, err := NextDir(base, preset)
		if err != nil || dir != filepath.Join(base, want) {
			t.Fatalf("NextDir: %q, %v, want %s", dir, err, want)
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			t.Fatalf("%s: %v", dir, err)
		}
	}
	next("quick", "001-quick")
	next("tiny", "002-tiny")
	for _, name := range []string{"notes", "12-x", "-005", "010", "x-020-y", "0x7-a", "007-", ".claim-003", "99999999999999999999-z"} {
		if err := os.Mkdir(filepath.Join(base, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	next("quick", "004-quick") // .claim-003 was left by a run that was killed
	if err := os.WriteFile(filepath.Join(base, "041-file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	next("a-b", "042-a-b")
	if err := os.Mkdir(filepath.Join(base, "1234-old"), 0o755); err != nil {
		t.Fatal(err)
	}
	next("quick", "1235-quick")

	runs, err := folders(base)
	want := []string{"1235-quick", "1234-old", "042-a-b", "004-quick", "002-tiny", "001-quick"}
	for i := range want {
		want[i] = filepath.Join(base, want[i])
	}
	if err != nil || !slices.Equal(runs, want) {
		t.Errorf("folders: %v, %v", runs, err)
	}
	if runs, err := folders(filepath.Join(base, "missing")); err != nil || runs != nil {
		t.Errorf("folders of no folder: %v, %v", runs, err)
	}
}

// Many runs that start at once get different numbers, whatever their presets.
func TestNextDirTogether(t *testing.T) {
	base := t.TempDir()
	const n = 40
	dirs := make([]string, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			dir, err := NextDir(base, []string{"quick", "tiny", "faces64"}[i%3])
			if err != nil {
				t.Error(err)
			}
			dirs[i] = dir
		})
	}
	wg.Wait()
	seen := map[int]string{}
	for _, dir := range dirs {
		k := number(filepath.Base(dir))
		if seen[k] != "" || k == 0 {
			t.Errorf("%s and %s", dir, seen[k])
		}
		seen[k] = dir
	}
	entries, err := os.ReadDir(base)
	if err != nil || len(entries) != n {
		t.Errorf("%d entries for %d runs, %v", len(entries), n, err)
	}
}

func TestNextDirErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := NextDir(filepath.Join(file, "runs"), "quick")
	if err == nil || !strings.Contains(err.Error(), "-out") || strings.Contains(err.Error(), "\n") {
		t.Errorf("below a file: %v", err)
	}
	for _, preset := range []string{"", "a/b", `a\b`} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("preset %q: no panic", preset)
				}
			}()
			_, _ = NextDir(t.TempDir(), preset)
		}()
	}
}

func TestSave(t *testing.T) {
	dir := t.TempDir()
	in, err := Preset("quick")
	if err != nil {
		t.Fatal(err)
	}
	in.Data, in.CheckpointBlocks, in.Out = "<faces> & more", true, "elsewhere"
	if err := in.Save(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out Config
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	in.Out = "" // where it lies is no part of it
	if diff := cmp.Diff(in, out); diff != "" || !strings.Contains(string(text), `"data": "<faces> & more"`) {
		t.Errorf("-written +read:\n%s\n%s", diff, text)
	}
	if err := in.Save(filepath.Join(dir, "config.json")); err == nil || errors.Is(err, fs.ErrExist) {
		t.Errorf("below a file: %v", err)
	}
}

// TestCheckpointOf: a run is named by its folder or by its checkpoint, in both programs.
func TestCheckpointOf(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, CheckpointName)
	for _, name := range []string{dir, dir + "/", path} {
		if got := CheckpointOf(name); got != path {
			t.Errorf("%s: %s, want %s", name, got, path)
		}
	}
	if got := CheckpointOf(""); got != "" {
		t.Errorf("no name: %s", got)
	}
}
