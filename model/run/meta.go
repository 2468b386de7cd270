// SPDX-License-Identifier: MIT

package run

import (
	"encoding/json"
	"fmt"
	"strconv"

	"jitvk/kernels/tune"
	"jitvk/model"
	"jitvk/model/checkpoint"
)

// CheckpointName is the file in a run's folder that sampling and resuming need.
const CheckpointName = "checkpoint.safetensors"

// configName is the file there that says what the run was told.
const configName = "config.json"

const format = "jitvk 1"

// Meta is what a checkpoint says of its run besides the tensors (docs/checkpoints.md).
type Meta struct {
	Config    Config
	Step      int             // optimizer steps taken
	Data      string          // the data set's fingerprint; "": it was converted, or written before runs could be resumed
	LossScale json.RawMessage // the state of fp16's loss scaling, which is the trainer's
	Choices   tune.Kept       // none: written before there was a choice
}

// Encode is the metadata as a checkpoint holds it.
func (m Meta) Encode() (map[string]string, error) {
	c := m.Config
	copyFree(&c, &Config{}) // the same pictures from elsewhere, or less memory, give the same bytes
	config, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	chosen, err := json.Marshal(m.Choices)
	return map[string]string{"format": format, "config": string(config), "step": fmt.Sprint(m.Step),
		"loss_scale": string(m.LossScale), "data": m.Data, "choices": string(chosen)}, err
}

// Load reads what a checkpoint says of its run. What an older checkpoint does not say has the value that it had then.
func Load(f *checkpoint.File) (Meta, error) {
	m := Meta{Config: Config{Model: model.Defaults(), Recipe: Recipe{Accumulate: 1}}, Data: f.Meta["data"],
		LossScale: json.RawMessage(f.Meta["loss_scale"])}
	if f.Meta["format"] != format {
		return m, fmt.Errorf("not a checkpoint of this program (format %q, %q wanted); name the %s of a run",
			f.Meta["format"], format, CheckpointName)
	}
	err := json.Unmarshal([]byte(f.Meta["config"]), &m.Config)
	if err == nil {
		err = m.Config.Model.Validate()
	}
	if err != nil {
		return m, fmt.Errorf("its configuration cannot be used: %w; take another checkpoint", err)
	}
	if m.Step, err = strconv.Atoi(f.Meta["step"]); err != nil || m.Step < 0 {
		return m, fmt.Errorf("its step %q cannot be used; take another checkpoint", f.Meta["step"])
	}
	if text := f.Meta["choices"]; text != "" {
		if err := json.Unmarshal([]byte(text), &m.Choices); err != nil {
			return m, fmt.Errorf("its choices of kernels cannot be used: %w; take another checkpoint", err)
		}
	}
	return m, nil
}
