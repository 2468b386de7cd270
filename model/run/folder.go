// SPDX-License-Identifier: MIT

package run

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"jitvk/engine/files"
	"jitvk/model/report"
)

// runName matches the folder of a run: its number, a minus, its preset.
var runName = regexp.MustCompile(`^([0-9]{3,9})-.`)

// number returns the run's number, 0 if name is not that of a run.
func number(name string) int {
	if m := runName.FindStringSubmatch(name); m != nil {
		n, _ := strconv.Atoi(m[1]) // 3 to 9 digits: it parses
		return n
	}
	return 0
}

// NextDir creates the folder of a new run, base/001-preset or one number above the highest there, and returns its path. Runs
// that start at the same moment get different numbers. An empty base means "runs"; other things in it do not matter.
func NextDir(base, preset string) (string, error) {
	if preset == "" || strings.ContainsAny(preset, `/\`) {
		panic(fmt.Sprintf("run: NextDir: preset %q is no name", preset))
	}
	if base == "" {
		base = "runs"
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", report.CannotWrite(base, err)
	}
	for n := 1; ; n++ {
		last, err := lastRun(base)
		if err != nil {
			return "", err
		}
		n = max(n, last+1)
		dir := filepath.Join(base, fmt.Sprintf("%03d-%s", n, preset))
		// The claim is what makes the number ours: mkdir is atomic, and 004-quick would not stop 004-tiny. Who finds it taken
		// goes on to the next number: its holder may have been killed.
		claim := filepath.Join(base, fmt.Sprintf(".claim-%03d", n))
		if err := os.Mkdir(claim, 0o755); errors.Is(err, fs.ErrExist) {
			continue
		} else if err != nil {
			return "", report.CannotWrite(dir, err)
		}
		// Another run may have made folder n and given its claim back between our look and our claim; from now on nobody can.
		last, err = lastRun(base)
		if err == nil && last < n {
			err = os.Mkdir(dir, 0o755)
		}
		if gone := os.Remove(claim); err == nil {
			err = gone
		}
		if err != nil {
			return "", report.CannotWrite(dir, err)
		}
		if last < n {
			return dir, nil
		}
	}
}

// lastRun returns the highest number of a run in base, 0 if there is none. Files count too: their numbers are taken.
func lastRun(base string) (int, error) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return 0, fmt.Errorf("cannot read the folder of runs: %w", err)
	}
	last := 0
	for _, e := range entries {
		last = max(last, number(e.Name()))
	}
	return last, nil
}

// folders returns the folders of the runs in base, the newest first. No base, no runs.
func folders(base string) ([]string, error) {
	entries, err := os.ReadDir(base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the folder of runs: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && number(e.Name()) > 0 {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(number(b)-number(a), cmp.Compare(b, a)) })
	for i, name := range names {
		names[i] = filepath.Join(base, name)
	}
	return names, nil
}

// Newest returns the checkpoint of the newest run in base that has one, whole or not: an older one must not take a damaged one's
// place unseen.
func Newest(base string) (string, error) {
	dirs, err := folders(base)
	if err != nil {
		return "", err
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, CheckpointName)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
	}
	return "", fmt.Errorf("no run with a checkpoint in %s; train first (go run ./train) or name a file with -checkpoint", base)
}

// CheckpointOf is the checkpoint of a run that the user named by it or by the run's folder.
func CheckpointOf(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return filepath.Join(path, CheckpointName)
	}
	return path
}

// Save writes what the run was told into its folder, as indented JSON.
func (c Config) Save(dir string) error {
	return files.AtomicWrite(filepath.Join(dir, configName), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(c)
	})
}
