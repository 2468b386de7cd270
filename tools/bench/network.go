// SPDX-License-Identifier: MIT

package main

import (
	"fmt"

	"jitvk/kernels"
	"jitvk/kernels/measure"
	"jitvk/model"
	"jitvk/model/sampler"
	"jitvk/train/trainer"
)

// step is whole training steps, two under way as in training, on noise: nothing is read from disk.
func (b *session) step(c model.Config) error {
	t, err := b.config(c.Preset)
	if err != nil {
		return err
	}
	s, err := trainer.NewState(b.dev, t)
	if err != nil {
		return err
	}
	defer s.Close()
	held := float64(b.dev.Stats().Bytes) / 1e9
	if err := s.Init(); err != nil {
		return err
	}
	pictures := still{make([]byte, t.Batch*3*c.Size*c.Size), uint32(c.Classes)}
	for i := range pictures.pictures {
		pictures.pictures[i] = byte(i * 2654435761 >> 8)
	}
	m := measure.NewMemory(b.dev)
	defer m.Close()
	steps := &measure.Contender{Label: c.Preset, Run: func(n int) error { return b.replay(s, pictures, n) }}
	peaks, err := b.race(m, steps)
	if err != nil {
		return err
	}
	precision, err := kernels.ParsePrecision(s.Precision, b.dev.Info())
	if err != nil {
		return err
	}
	seconds := steps.Median().Seconds()
	name := fmt.Sprintf("%s, batch %d", c.Preset, t.Batch)
	peers := func(rate func(torchResult) float64) []other { return b.peers(c.Preset, t.Batch, s.Precision, rate) }
	b.report.add("step", name, s.Precision, "images/s", float64(t.Batch)/seconds, peers(func(x torchResult) float64 { return x.Train })...)
	b.report.add("step", name+": all kernels", s.Precision, "GFLOP/s", s.FLOPs()/1e9/seconds, other{thePeak, peaks.Arithmetic(precision)})
	b.report.add(footprint, name, s.Precision, "GB", held, peers(func(x torchResult) float64 { return x.Peak * (1 << 20) / 1e9 })...)
	return nil
}

// replay takes n training steps, two of them under way at a time.
func (b *session) replay(s *trainer.State, pictures still, n int) error {
	var under []trainer.Pending
	for i := range n + 1 {
		if i < n {
			p, err := s.Step(pictures)
			if err != nil {
				return err
			}
			under = append(under, p)
		}
		if len(under) == 2 || i == n {
			if _, err := under[0].Wait(); err != nil {
				return err
			}
			under = under[1:]
		}
	}
	return b.Err()
}

// sample is drawing a batch of pictures with Euler's method.
func (b *session) sample(c model.Config) error {
	t, err := b.config(c.Preset)
	if err != nil {
		return err
	}
	net, err := model.New(b.dev, c)
	if err != nil {
		return err
	}
	defer net.Close()
	weights, err := net.Layout.NewFlat(b.dev, "weights")
	if err != nil {
		return err
	}
	defer weights.Close()
	if err := weights.Init(1); err != nil {
		return err
	}
	s, err := sampler.New(b.dev, net, weights, t.Batch, kernels.FP32)
	if err != nil {
		return err
	}
	defer s.Close()
	draw := &measure.Contender{Label: c.Preset, Run: func(n int) error {
		for range n {
			if _, err := s.Sample(b.Context, sampler.Options{N: t.Batch, Steps: b.solver, Seed: 1}); err != nil {
				return err
			}
		}
		return nil
	}}
	if err := measure.Race(b.dev, []*measure.Contender{draw}, b.rounds); err != nil {
		return err
	}
	name := fmt.Sprintf("%s, batch %d, %d Euler steps", c.Preset, t.Batch, b.solver)
	b.report.add("sample", name, "fp32", "images/s", float64(t.Batch)/draw.Median().Seconds(),
		b.peers(c.Preset, t.Batch, "fp32", func(x torchResult) float64 { return x.Sample })...)
	return nil
}

// still is one batch of pictures without a class, which every step reads again.
type still struct {
	pictures []byte
	none     uint32
}

func (s still) Batch(dst []byte, _ int64) { copy(dst, s.pictures) }

func (s still) Labels(dst []uint32, _ int64) {
	for i := range dst {
		dst[i] = s.none
	}
}
