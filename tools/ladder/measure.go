// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"path"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/measure"
	"jitvk/model"
)

// A ladder is an op whose rungs are timed: in parts, each of which is recorded by itself.
type ladder struct {
	text   string // the shape, for people
	parts  []string
	flops  []float64 // of each part, counted from the formula, whatever a rung computes twice
	rungs  func(engine.Info, kernels.Precision) []string
	record func(p *engine.Program, part int, precision kernels.Precision, rung string)
}

// ladders are what can be measured, at a preset's shapes.
var ladders = map[string]func(m *measure.Memory, c model.Config) ladder{"matmul": matmul, "attention": attention}

// batch is how many images the shapes are for. Those of the large models are smaller than in training: they fill any
// device, and the rungs that are there to be read would take minutes.
var batch = map[string]int{"quick": 32, "tiny": 16, "faces64": 16, "blog256": 1}

// matmul is the products of a block's four layers: y = x wᵀ and its gradients.
func matmul(m *measure.Memory, c model.Config) ladder {
	rows := batch[c.Preset] * c.Tokens()
	type layer struct{ x, w, y, dx, dw kernels.Tensor }
	var layers []layer
	flops := 0.0
	for _, io := range measure.Layers(c.Dim, c.Hidden) {
		in, out := io[0], io[1]
		layers = append(layers, layer{m.Tensor(rows, in), m.Tensor(out, in), m.Tensor(rows, out), m.Tensor(rows, in), m.Tensor(out, in)})
		flops += 2 * float64(rows) * float64(in) * float64(out)
	}
	return ladder{fmt.Sprintf("%d rows, width %d, hidden %d", rows, c.Dim, c.Hidden), []string{"y = x wᵀ", "dx = dy w", "dw = dyᵀ x"},
		[]float64{flops, flops, flops}, kernels.MatMulRungsOn,
		func(p *engine.Program, part int, precision kernels.Precision, rung string) {
			o := kernels.MatMulOptions{Precision: precision, Rung: rung, TransB: part == 0, TransA: part == 2}
			for _, l := range layers {
				switch part {
				case 0:
					kernels.MatMul(p, l.y, l.x, l.w, o)
				case 1:
					kernels.MatMul(p, l.dx, l.y, l.w, o)
				case 2:
					kernels.MatMul(p, l.dw, l.y, l.x, o)
				}
			}
		}}
}

// attention is one block's, as in the model.
func attention(m *measure.Memory, c model.Config) ladder {
	B, T, H, D := batch[c.Preset], c.Tokens(), c.Heads, c.HeadSize()
	a := measure.NewAttention(m, B, T, H, D, nil)
	return ladder{fmt.Sprintf("%d x %d tokens, %d heads of %d", B, T, H, D), []string{"forward", "backward"},
		[]float64{a.ForwardFLOPs, a.BackwardFLOPs},
		kernels.AttentionRungsOn,
		func(p *engine.Program, part int, precision kernels.Precision, rung string) {
			opt := kernels.AttentionOptions{Precision: precision, Rung: rung}
			if part == 0 {
				a.Forward(p, opt)
			} else {
				a.Backward(p, opt)
			}
		}}
}

// measure times all rungs at a preset's shapes, and the peaks among them.
func (r *report) measure(d *engine.Device, c model.Config, rounds int) error {
	m := measure.NewMemory(d)
	defer m.Close()
	l := ladders[r.Op](m, c)
	contenders, found := measure.PeakContenders(m)
	if err := m.Err(); err != nil {
		return err
	}
	s := shape{Preset: c.Preset, Text: l.text, Parts: l.parts}
	first := len(contenders)
	for _, precision := range []kernels.Precision{kernels.FP32, kernels.FP16} {
		for _, name := range l.rungs(d.Info(), precision) {
			s.Rungs = append(s.Rungs, rung{Name: path.Base(name), Operands: precision.String()})
			for part := range l.parts {
				contenders = append(contenders,
					&measure.Contender{Label: name, Record: func(p *engine.Program) { l.record(p, part, precision, name) }})
			}
		}
	}
	if err := measure.Race(d, contenders, rounds); err != nil {
		return err
	}
	peaks := found()
	for i := range peaks {
		peaks[i].Rate = max(peaks[i].Rate, r.Peaks.Rate(peaks[i].Name)) // measured at another shape, too
	}
	r.Peaks = peaks
	for i := range s.Rungs {
		flops, seconds := 0.0, 0.0
		for part, amount := range l.flops {
			took := contenders[first+i*len(l.parts)+part].Best().Seconds()
			s.Rungs[i].Parts = append(s.Rungs[i].Parts, amount/1e9/took)
			flops, seconds = flops+amount, seconds+took
		}
		s.Rungs[i].GFLOPs = flops / 1e9 / seconds
	}
	r.Shapes = append(r.Shapes, s)
	return nil
}
