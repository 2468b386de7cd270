// SPDX-License-Identifier: MIT

package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"jitvk/kernels/tune"
	"jitvk/model/checkpoint"
)

// resumable are the options that -resume takes: those that do not change what a step computes, and -steps.
var resumable = []string{"resume", "steps", "data", "out", "device", "checkpoint-blocks", "dry-run"}

// resumed is the configuration of the run that f.Resume names, with those options changed that were set.
func resumed(f Config, set map[string]bool) (Config, error) {
	var fixed []string
	for name := range set {
		if !slices.Contains(resumable, name) {
			fixed = append(fixed, "-"+name)
		}
	}
	if slices.Sort(fixed); fixed != nil {
		return Config{}, fmt.Errorf("train: -resume goes on with the checkpoint's own settings: leave out %s; what can be set is -%s", strings.Join(fixed, ", "),
			strings.Join(resumable[1:], ", -"))
	}
	path := f.Resume
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, CheckpointName)
	}
	file, err := checkpoint.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("train: -resume: %w", err)
	}
	defer file.Close()
	meta, err := Load(file)
	c := meta.Config
	if err != nil {
		return c, fmt.Errorf("train: -resume %s: %w", path, err)
	}
	if meta.Data == "" {
		return c, fmt.Errorf("train: -resume %s: it does not say what it was trained on: it was converted, or written before runs could be resumed; start a new run", path)
	}
	place, err := readPlace(filepath.Dir(path))
	if err != nil {
		return c, err
	}
	c.Resume, c.Data, c.Out, c.Device, c.DryRun, c.Tune, c.Kept = path, place.Data, f.Out, f.Device, f.DryRun, f.Tune, meta.Choices
	if c.Kept.Device == "" {
		c.Tune = tune.Off // it was written before there was a choice
	}
	c.CheckpointBlocks = place.CheckpointBlocks
	override(set, "data", &c.Data, f.Data)
	override(set, "checkpoint-blocks", &c.CheckpointBlocks, f.CheckpointBlocks)
	override(set, "steps", &c.Steps, f.Steps)
	if filepath.Clean(c.Out) == filepath.Dir(path) {
		c.Out = "" // where it goes on anyway
	}
	if meta.Step >= c.Steps {
		return c, fmt.Errorf("train: -resume %s: it is at step %d, -steps is %d: name more with -steps", path, meta.Step, c.Steps)
	}
	return c, c.Validate()
}

// readPlace reads what a run's folder knows and its checkpoint does not: what changes no bit of it, such as where the pictures
// were. No file, nothing known.
func readPlace(dir string) (c Config, err error) {
	path := filepath.Join(dir, configName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		return c, fmt.Errorf("train: -resume: %s: %w; correct it or move it away", path, err)
	}
	return c, nil
}
