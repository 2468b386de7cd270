// SPDX-License-Identifier: MIT

package kernels

// WithAttention calls f while Attention and AttentionBackward record the rung of that name, whatever the device.
func WithAttention(rung string, f func()) {
	attentionForce = rung
	defer func() { attentionForce = "" }()
	f()
}
