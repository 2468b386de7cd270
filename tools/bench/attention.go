// SPDX-License-Identifier: MIT

package main

import (
	"fmt"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/measure"
	"jitvk/model"
)

// attention is one block's, beside the products of the block's layers.
func (b *session) attention(c model.Config) error {
	t, err := b.config(c.Preset)
	if err != nil {
		return err
	}
	m := measure.NewMemory(b.dev)
	defer m.Close()
	a := measure.NewAttention(m, t.Batch, c.Tokens(), c.Heads, c.HeadSize(), nil)
	for _, precision := range b.precisions() {
		if err := b.passes(m, a, t.Batch, c, precision); err != nil {
			return err
		}
	}
	return nil
}

// passes times attention forward and backward in one precision.
func (b *session) passes(m *measure.Memory, a measure.Attention, batch int, c model.Config, precision kernels.Precision) error {
	options := kernels.AttentionOptions{Precision: precision}
	_, cases := layers(c, batch*c.Tokens())
	matmul := &measure.Contender{Label: "our y = x wᵀ", Record: record(m, precision, cases[0])}
	passes := []struct {
		gflop        float64
		ours, theirs *measure.Contender
	}{
		{a.ForwardFLOPs / 1e9, &measure.Contender{Label: "forward", Record: func(p *engine.Program) { a.Forward(p, options) }}, nil},
		{a.BackwardFLOPs / 1e9, &measure.Contender{Label: "backward", Record: func(p *engine.Program) { a.Backward(p, options) }}, nil},
	}
	all := []*measure.Contender{matmul}
	for i, x := range passes {
		all = append(all, x.ours)
		if b.library != nil && !b.dev.Info().CPU() {
			passes[i].theirs = b.library.attend(x.ours.Label, precision, batch, c.Tokens(), c.Heads, c.HeadSize())
			all = append(all, passes[i].theirs)
		}
	}
	peaks, err := b.race(m, all...)
	if err != nil {
		return err
	}
	for _, x := range passes {
		b.report.add("attention", fmt.Sprintf("%s, batch %d: %s", c.Preset, batch, x.ours.Label), precision.String(), "GFLOP/s",
			rate(x.gflop, x.ours),
			other{thePeak, peaks.Arithmetic(precision)}, theirs(gflops(cases[0]), matmul), theirs(x.gflop, x.theirs))
	}
	return nil
}
