// SPDX-License-Identifier: MIT

package command

import (
	"errors"
	"fmt"
	"strings"

	"jitvk/engine"
	"jitvk/model"
	"jitvk/model/checkpoint"
)

// load uploads a checkpoint's weights: the raw ones, an average, or, where want is "", the first average if there is one.
func load(dev *engine.Device, m *model.Model, path string, f *checkpoint.File, want string) (weights *model.Flat, kind string, err error) {
	if want == "" {
		want = "ema"
		if _, err := f.Shape("ema/" + m.Layout.Params[0].Name); errors.Is(err, checkpoint.ErrMissing) {
			want = "raw"
		}
	}
	kind = map[string]string{"ema": "averaged weights", "ema2": "weights of the second average", "raw": "weights"}[want]
	prefix := want + "/"
	if want == "raw" {
		prefix = ""
	}
	of := map[string]bool{} // the model's names
	for _, p := range m.Layout.Params {
		of[p.Name] = true
	}
	for _, name := range f.Names() { // a tensor too many: a configuration of fewer blocks, say
		if base, ok := strings.CutPrefix(name, prefix); ok && !strings.Contains(base, "/") && !of[base] {
			return nil, "", fmt.Errorf("checkpoint %s: tensor %q is none of the model that its configuration describes; take another checkpoint",
				path, name)
		}
	}
	if weights, err = m.Layout.NewFlat(dev, "weights"); err != nil {
		return nil, "", err
	}
	if err := weights.Load(f, prefix); err != nil {
		weights.Close()
		return nil, "", err
	}
	return weights, kind, nil
}
