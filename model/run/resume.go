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
	"jitvk/model/cli"
)

// resumed is the configuration of the run in from, a folder or a checkpoint, with those settings that -resume takes.
func resumed(from string, settings cli.Settings) (Config, error) {
	if err := resumable(settings); err != nil {
		return Config{}, err
	}
	path := CheckpointOf(from)
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
		return c, fmt.Errorf("train: -resume %s: it does not say what it was trained on: it was converted, "+
			"or written before runs could be resumed; start a new run", path)
	}
	if err := c.Validate(); err != nil { // before settings are in it: what is wrong now is wrong in the file
		return c, fmt.Errorf("train: -resume %s: its configuration cannot be used: %s; take another checkpoint", path,
			strings.TrimPrefix(err.Error(), "train: "))
	}
	place, err := readPlace(filepath.Dir(path))
	if err != nil {
		return c, err
	}
	copyFree(&c, &place)
	c.Kept, c.Tune = meta.Choices, tune.Auto
	if c.Kept.Device == "" {
		c.Tune = tune.Off // it was written before there was a choice
	}
	settings.Apply(&c)
	c.Resume = path
	if filepath.Clean(c.Out) == filepath.Dir(path) {
		c.Out = "" // where it goes on anyway
	}
	if meta.Step >= c.Steps {
		return c, fmt.Errorf("train: -resume %s: it is at step %d, -steps is %d: name more with -steps", path, meta.Step, c.Steps)
	}
	return c, c.Validate()
}

// resumable refuses settings that -resume does not take.
func resumable(settings cli.Settings) error {
	var wrong, right []string
	for _, s := range settings {
		if s.Option.Tag.Get("resume") == "" {
			wrong = append(wrong, s.String())
		}
	}
	if wrong == nil {
		return nil
	}
	slices.Sort(wrong)
	for _, o := range options.Options {
		if o.Tag.Get("resume") != "" && o.Name != "resume" {
			right = append(right, "-"+o.Name)
		}
	}
	return fmt.Errorf("train: -resume goes on with the checkpoint's own settings: leave out %s; what can be set is %s",
		strings.Join(wrong, ", "), strings.Join(right, ", "))
}

// copyFree gives to what from has of the options that change no bit of a run.
func copyFree(to, from *Config) {
	for _, o := range options.Options {
		if o.Tag.Get("resume") == "free" {
			o.In(to).Set(o.In(from))
		}
	}
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
