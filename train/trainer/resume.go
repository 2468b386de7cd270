// SPDX-License-Identifier: MIT

package trainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"jitvk/engine"
	"jitvk/kernels/tune"
	"jitvk/model"
	"jitvk/model/checkpoint"
	"jitvk/model/report"
	"jitvk/train/dataset"
)

// A run goes on from its checkpoint to the very bits that it would have reached without a stop: the checkpoint holds all that a
// step reads but the pictures, and pictures and random numbers follow from the step's number.

// resumable are the options that -resume takes: those that do not change what a step computes, and -steps.
var resumable = []string{"resume", "steps", "data", "out", "device", "checkpoint-blocks", "dry-run"}

// choices are the kernels that a run's work is done by, as its checkpoint has them: they decide the order of sums, so a run that
// goes on takes them rather than what has been measured since. On another device or driver they mean nothing.
type choices struct {
	Device  string         `json:"device"` // engine.Info.Key
	Choices engine.Choices `json:"ways"`   // the key that files have had from the first
}

// recall makes a device choose as the checkpoint says or, for a new run or on another device, as earlier runs have found. It
// returns what is to be measured of the rest.
func (c Config) recall(d *engine.Device) tune.Mode {
	if c.kept.Device == d.Info().Key() {
		d.Prefer(c.kept.Choices)
		return tune.Off
	}
	c.Tune.Recall(d)
	return c.Tune
}

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
	c, err := LoadConfig(file)
	if err != nil {
		return c, fmt.Errorf("train: -resume %s: %w", path, err)
	}
	if file.Meta["data"] == "" {
		return c, fmt.Errorf("train: -resume %s: it does not say what it was trained on: it was converted, or written before runs could be resumed; start a new run", path)
	}
	place, err := readPlace(filepath.Dir(path))
	if err != nil {
		return c, err
	}
	c.Resume, c.Data, c.Out, c.Device, c.DryRun, c.Tune = path, place.Data, f.Out, f.Device, f.DryRun, f.Tune
	if text := file.Meta["choices"]; text == "" {
		c.Tune = tune.Off // it was written before there was a choice
	} else if err := json.Unmarshal([]byte(text), &c.kept); err != nil {
		return c, fmt.Errorf("train: -resume %s: its choices of kernels cannot be used: %w; take another checkpoint", path, err)
	}
	c.CheckpointBlocks = place.CheckpointBlocks
	override(set, "data", &c.Data, f.Data)
	override(set, "checkpoint-blocks", &c.CheckpointBlocks, f.CheckpointBlocks)
	override(set, "steps", &c.Steps, f.Steps)
	if filepath.Clean(c.Out) == filepath.Dir(path) {
		c.Out = "" // where it goes on anyway
	}
	if at, err := strconv.Atoi(file.Meta["step"]); err == nil && at >= c.Steps {
		return c, fmt.Errorf("train: -resume %s: it is at step %d, -steps is %d: name more with -steps", path, at, c.Steps)
	}
	return c, c.Validate()
}

// readPlace reads what a run's folder knows and its checkpoint does not: what changes no bit of it, such as where the pictures
// were. No file, nothing known.
func readPlace(dir string) (c Config, err error) {
	path := filepath.Join(dir, "config.json")
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

// resume loads c.Resume into s and says in h where the run goes on.
func (s *State) resume(data *dataset.Dataset, h *report.Header) error {
	f, err := checkpoint.Open(s.Resume)
	if err != nil {
		return err
	}
	defer f.Close()
	before, err := LoadConfig(f)
	if err != nil {
		return err
	}
	if f.Meta["data"] != s.data || !slices.Equal(before.ClassNames, data.Classes()) {
		return fmt.Errorf("train: -resume %s: %s holds other pictures or labels (%s) than the run was trained on (%s): name those with -data, or start a new run on these",
			s.Resume, data.Source, s.data, f.Meta["data"])
	}
	if err := s.Load(f); err != nil {
		return err
	}
	h.Add("resumed", "%s, after step %d of %d", s.Resume, s.at, s.Steps)
	if s.Steps != before.Steps {
		h.Add("schedule", "-steps was %d: the learning rate goes on as a run of %d steps has it, with %.3g where %.3g would have come", before.Steps,
			s.Steps, s.lr(s.at), before.lr(s.at))
	}
	return nil
}

// Load gives the run the weights, the averages and the optimizer's state of a checkpoint; the next step is the one after it.
func (s *State) Load(f *checkpoint.File) error {
	for _, part := range s.parts() {
		values := map[string][]float32{}
		for _, p := range s.m.Layout.Params {
			v, err := f.Float32(part.prefix+p.Name, p.Shape...)
			if err != nil {
				return err
			}
			values[p.Name] = v
		}
		flat, err := s.m.Layout.Pack(values)
		if err != nil {
			return err
		}
		if err := s.dev.Upload(part.buffer.All(), flat); err != nil {
			return err
		}
	}
	step, err := strconv.Atoi(f.Meta["step"])
	if err == nil {
		err = json.Unmarshal([]byte(f.Meta["loss_scale"]), &s.scaler)
	}
	if err != nil || step < 0 || !(s.scaler.Scale > 0) {
		return fmt.Errorf("train: %s: step %q, loss scale %q: they cannot be used; take another checkpoint", s.Resume, f.Meta["step"], f.Meta["loss_scale"])
	}
	s.at, s.waited = step, step
	return s.zero(s.grads) // the gaps between them stay zero
}

// meta is the metadata of the run's checkpoint.
func (s *State) meta() (map[string]string, error) {
	c := s.Config
	c.Data, c.CheckpointBlocks = "", false // the same pictures from elsewhere, or less memory, give the same bytes; config.json has them
	config, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	scale, err := json.Marshal(s.scaler)
	if err != nil {
		return nil, err
	}
	chosen, err := json.Marshal(choices{s.dev.Info().Key(), s.dev.Chosen()})
	return map[string]string{"format": "jitvk 1", "config": string(config), "step": fmt.Sprint(s.at), "loss_scale": string(scale), "data": s.data,
		"choices": string(chosen)}, err
}

// LoadConfig reads a run's configuration from its checkpoint.
func LoadConfig(f *checkpoint.File) (Config, error) {
	c := Config{Model: model.Defaults(), Accumulate: 1} // older checkpoints do not say it
	if f.Meta["format"] != "jitvk 1" {
		return c, fmt.Errorf("not a checkpoint of this program (format %q, \"jitvk 1\" wanted); name the %s of a run", f.Meta["format"], CheckpointName)
	}
	err := json.Unmarshal([]byte(f.Meta["config"]), &c)
	if err == nil {
		err = c.Model.Validate()
	}
	if err != nil {
		return c, fmt.Errorf("its configuration cannot be used: %w; take another checkpoint", err)
	}
	return c, nil
}
