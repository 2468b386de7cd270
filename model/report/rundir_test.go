// SPDX-License-Identifier: MIT

package report

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestNextRunDir(t *testing.T) {
	base := filepath.Join(t.TempDir(), "a", "runs") // made on the way
	next := func(preset, want string) {
		t.Helper()
		dir, err := NextRunDir(base, preset)
		if err != nil || dir != filepath.Join(base, want) {
			t.Fatalf("NextRunDir: %q, %v, want %s", dir, err, want)
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

	runs, err := Runs(base)
	want := []string{"1235-quick", "1234-old", "042-a-b", "004-quick", "002-tiny", "001-quick"}
	for i := range want {
		want[i] = filepath.Join(base, want[i])
	}
	if err != nil || !slices.Equal(runs, want) {
		t.Errorf("Runs: %v, %v", runs, err)
	}
	if runs, err := Runs(filepath.Join(base, "missing")); err != nil || runs != nil {
		t.Errorf("Runs of no folder: %v, %v", runs, err)
	}
}

// Many runs that start at once get different numbers, whatever their presets.
func TestNextRunDirTogether(t *testing.T) {
	base := t.TempDir()
	const n = 40
	dirs := make([]string, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			dir, err := NextRunDir(base, []string{"quick", "tiny", "faces64"}[i%3])
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

func TestNextRunDirErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := NextRunDir(filepath.Join(file, "runs"), "quick")
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
			_, _ = NextRunDir(t.TempDir(), preset)
		}()
	}
}

func TestSaveConfig(t *testing.T) {
	type config struct {
		Preset string  `json:"preset"`
		LR     float64 `json:"lr"`
	}
	path := filepath.Join(t.TempDir(), "config.json")
	in := config{"<quick> & more", 2e-3}
	if err := SaveConfig(path, in); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "{\n  \"preset\": \"<quick> & more\",\n  \"lr\": 0.002\n}\n"; string(data) != want {
		t.Errorf("got %s", data)
	}
	var out config
	if err := json.Unmarshal(data, &out); err != nil || out != in {
		t.Errorf("read back %+v, %v", out, err)
	}
	if err := SaveConfig(filepath.Join(path, "x"), in); err == nil || errors.Is(err, fs.ErrExist) {
		t.Errorf("below a file: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("NaN in a configuration: no panic")
		}
	}()
	_ = SaveConfig(path, config{LR: math.NaN()})
}
