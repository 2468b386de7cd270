// SPDX-License-Identifier: MIT

package trainer

import (
	"encoding/json"
	"fmt"
	"slices"

	"jitvk/kernels/tune"
	"jitvk/model/checkpoint"
	"jitvk/model/report"
	"jitvk/model/run"
	"jitvk/train/dataset"
)

// A run goes on from its checkpoint to the very bits that it would have reached without a stop: the checkpoint holds all that a
// step reads but the pictures, and pictures and random numbers follow from the step's number.

// begin gives the run its first values or those of the checkpoint that it goes on from; then it says so in h.
func (s *State) begin(data *dataset.Dataset, h *report.Header) error {
	s.data = data.Fingerprint()
	if s.Resume == "" {
		return s.Init()
	}
	f, err := checkpoint.Open(s.Resume)
	if err != nil {
		return err
	}
	defer f.Close()
	meta, err := run.Load(f)
	if err != nil {
		return err
	}
	before := meta.Config
	if meta.Data != s.data || !slices.Equal(before.ClassNames, data.Classes()) {
		return fmt.Errorf("train: -resume %s: %s holds other pictures or labels (%s) than the run was trained on (%s): name those with "+
			"-data, or start a new run on these", s.Resume, data.Source, s.data, meta.Data)
	}
	if err := s.Load(f, meta); err != nil {
		return err
	}
	h.Add("resumed", "%s, after step %d of %d", s.Resume, s.at, s.Steps)
	if s.Steps != before.Steps {
		h.Add("schedule", "-steps was %d: the learning rate goes on as a run of %d steps has it, with %.3g where %.3g would have come",
			before.Steps, s.Steps, s.LearningRate(s.at), before.LearningRate(s.at))
	}
	return nil
}

// Load gives the run the weights, the averages and the optimizer's state of a checkpoint; the next step is the one after it. meta is
// what the checkpoint says of its run.
func (s *State) Load(f *checkpoint.File, meta run.Meta) error {
	for _, part := range s.parts() {
		if err := part.values.Load(f, part.prefix); err != nil {
			return err
		}
	}
	if err := json.Unmarshal(meta.LossScale, &s.scaler); err != nil || !(s.scaler.Scale > 0) {
		return fmt.Errorf("train: %s: step %d, loss scale %q: they cannot be used; take another checkpoint", s.Resume, meta.Step,
			meta.LossScale)
	}
	s.at, s.waited = meta.Step, meta.Step
	return s.dev.Once("no gradients yet", s.grads.Zero) // the gaps between them stay zero
}

// meta is the metadata of the run's checkpoint.
func (s *State) meta() (map[string]string, error) {
	scale, err := json.Marshal(s.scaler)
	if err != nil {
		return nil, err
	}
	return run.Meta{Config: s.Config, Step: s.at, Data: s.data, LossScale: scale, Choices: tune.Chosen(s.dev)}.Encode()
}
