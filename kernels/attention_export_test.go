// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// AttentionRungs returns the names of the rungs that Attention can record.
func AttentionRungs() (names []string) {
	for _, r := range attentionRungs {
		names = append(names, r.tier)
	}
	return names
}

// AttentionRuns reports whether a device runs a rung with operands of a precision and heads of D floats.
func AttentionRuns(rung string, info engine.Info, precision Precision, D int) bool {
	for _, r := range attentionRungs {
		if r.tier == rung {
			return r.runs(info, precision, D)
		}
	}
	return false
}

// WithAttention calls f while Attention and AttentionBackward record the rung of that name, whatever the device.
func WithAttention(rung string, f func()) {
	attentionForce = rung
	defer func() { attentionForce = "" }()
	f()
}
