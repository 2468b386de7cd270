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
func load(dev *engine.Device, m *model.Model, path string, f *checkpoint.File, want string) (b *engine.Buffer, kind string, err error) {
	if want == "" {
		want = "ema"
		if _, err := f.Float32("ema/" + m.Layout.Params[0].Name); errors.Is(err, checkpoint.ErrMissing) {
			want = "raw"
		}
	}
	kind = map[string]string{"ema": "averaged weights", "ema2": "weights of the second average", "raw": "weights"}[want]
	prefix := want + "/"
	if want == "raw" {
		prefix = ""
	}
	values := map[string][]float32{}
	for _, p := range m.Layout.Params {
		if values[p.Name], err = f.Float32(prefix+p.Name, p.Shape...); err != nil {
			return nil, "", err
		}
		for _, v := range values[p.Name] {
			if v-v != 0 { // NaN or infinite
				return nil, "", fmt.Errorf("checkpoint %s: tensor %q holds %v: its training diverged; take an earlier checkpoint",
					path, prefix+p.Name, v)
			}
		}
	}
	for _, name := range f.Names() { // a tensor too many: a configuration of fewer blocks, say
		if base, ok := strings.CutPrefix(name, prefix); ok && !strings.Contains(base, "/") && values[base] == nil {
			return nil, "", fmt.Errorf("checkpoint %s: tensor %q is none of the model that its configuration describes; take another checkpoint",
				path, name)
		}
	}
	flat, err := m.Layout.Pack(values)
	if err != nil {
		return nil, "", err
	}
	if b, err = dev.NewBuffer("weights", m.Layout.Bytes()); err != nil {
		return nil, "", err
	}
	if !dev.DryRun() {
		if err := dev.Upload(b.All(), flat); err != nil {
			b.Close()
			return nil, "", err
		}
	}
	return b, kind, nil
}
