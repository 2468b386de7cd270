// SPDX-License-Identifier: MIT

// Package sampler draws pictures from a trained model: it walks the flow's ordinary differential equation from noise
// (tau 0) to image (tau 1) with Euler's method. The state stays on the device; one solver step is one replay of a
// recorded program.
package sampler

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"jitvk/autograd"
	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/model"
	"jitvk/sample/ode"
	"jitvk/train/checkpoint"
)

// Sampler is a model's forward pass recorded for a fixed batch.
type Sampler struct {
	dev         *engine.Device
	m           *model.Model
	batch       int
	buffers     []*engine.Buffer
	z, tau      kernels.Tensor // (batch,3,ImgH,ImgW), (batch)
	pred, step  kernels.Tensor
	start, walk *engine.Program
}

// Options say what to draw.
type Options struct {
	N     int    // pictures
	Steps int    // solver steps
	Seed  uint64 // of the initial noise; picture i depends on (Seed, i) and on nothing else
	// Trajectory, if not nil, is given the state (3,ImgH,ImgW) of every picture at every point of the time grid.
	Trajectory func(picture, point int, tau float64, z []float32)
	Progress   func(done, total int) // solver steps, over all batches; may be nil
}

// New records the programs. params is the flat buffer of weights to sample with.
func New(d *engine.Device, m *model.Model, params *engine.Buffer, batch int) (*Sampler, error) {
	s := &Sampler{dev: d, m: m, batch: batch}
	shape := []int{batch, 3, m.Size, m.Size}
	size := 4 * int64(batch) * 3 * int64(m.Size) * int64(m.Size)
	for _, b := range []struct {
		label string
		size  int64
	}{{"sample z", size}, {"sample prediction", size}, {"sample tau", 4 * int64(batch)}, {"sample step", kernels.StepBytes}} {
		buf, err := d.NewBuffer(b.label, b.size)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.buffers = append(s.buffers, buf)
	}
	s.z, s.pred = kernels.View(s.buffers[0].All(), shape...), kernels.View(s.buffers[1].All(), shape...)
	s.tau, s.step = kernels.View(s.buffers[2].All(), batch), kernels.View(s.buffers[3].All(), kernels.StepBytes/4)

	s.start = engine.NewProgram(d, "sample start")
	kernels.Normal(s.start, s.z, s.step, kernels.StreamSample)
	s.walk = engine.NewProgram(d, "sample step")
	tape := autograd.New(s.walk)
	pred := m.Forward(tape, m.Bind(tape, params, nil), tape.Const(s.z), tape.Const(s.tau), nil)
	kernels.EulerStep(s.walk, s.z, pred.Value, s.step, kernels.EulerStepOptions{TauClamp: model.TauClamp})
	s.walk.Copy(s.pred.Range, pred.Value.Range)
	for _, p := range []*engine.Program{s.start, s.walk} {
		if err := p.Build(); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// Close frees the sampler's memory.
func (s *Sampler) Close() {
	for _, p := range []*engine.Program{s.start, s.walk} {
		if p != nil {
			p.Close()
		}
	}
	for _, b := range s.buffers {
		b.Close()
	}
}

// Sample draws o.N pictures (N,3,ImgH,ImgW). What it returns is the image predicted in the last step, as the blog post
// shows it: with 1 - tau clamped, z itself keeps a little noise at tau = 1. The states go to o.Trajectory.
func (s *Sampler) Sample(ctx context.Context, o Options) ([]float32, error) {
	if o.N < 1 || o.Steps < 1 {
		return nil, fmt.Errorf("sampler: %d pictures in %d steps: both must be at least 1", o.N, o.Steps)
	}
	taus := ode.Grid(0, 1, o.Steps)
	pixels := 3 * s.m.Size * s.m.Size
	out := make([]float32, 0, o.N*pixels)
	for first := 0; first < o.N; first += s.batch {
		n := min(s.batch, o.N-first)
		step := kernels.Step{Seed: o.Seed, Image0: uint32(first)}
		reads := []engine.Range{}
		if o.Trajectory != nil {
			reads = append(reads, s.z.Range)
		}
		emit := func(point int, data [][]byte) {
			if o.Trajectory == nil {
				return
			}
			z := checkpoint.DecodeFloat32(data[0])
			for i := range n {
				o.Trajectory(first+i, point, taus[point], z[i*pixels:(i+1)*pixels])
			}
		}
		data, err := s.replay(s.start, []engine.Update{{To: s.step.Range, Data: step.Data()}}, reads)
		if err != nil {
			return nil, err
		}
		emit(0, data)
		err = ode.Solve(taus, func(i int, tau, dt float64) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			step.Tau, step.DT = float32(tau), float32(dt)
			times := make([]byte, 0, 4*s.batch)
			for range s.batch {
				times = binary.LittleEndian.AppendUint32(times, math.Float32bits(step.Tau))
			}
			last := i == o.Steps-1
			want := reads
			if last {
				want = append(want, s.pred.Range)
			}
			data, err := s.replay(s.walk, []engine.Update{{To: s.step.Range, Data: step.Data()}, {To: s.tau.Range, Data: times}}, want)
			if err != nil {
				return err
			}
			emit(i+1, data)
			if last {
				out = append(out, checkpoint.DecodeFloat32(data[len(data)-1])[:n*pixels]...)
			}
			if o.Progress != nil {
				batches := (o.N + s.batch - 1) / s.batch
				o.Progress(first/s.batch*o.Steps+i+1, batches*o.Steps)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Sampler) replay(p *engine.Program, w []engine.Update, r []engine.Range) ([][]byte, error) {
	sub, err := p.Submit(w, r)
	if err != nil {
		return nil, err
	}
	return sub.Wait()
}
