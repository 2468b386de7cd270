// SPDX-License-Identifier: MIT

package trainer

import (
	"encoding/binary"
	"math"
	"slices"

	"jitvk/autograd"
	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/model"
	"jitvk/train/checkpoint"
)

// State is a training run on a device: the parameters and all that an optimizer step reads and writes, and the step
// itself as a recorded program.
type State struct {
	Config
	dev *engine.Device
	m   *model.Model
	// Flat buffers of one layout. An average of the weights that is not wanted is nil.
	weights, grads, moment1, moment2 *engine.Buffer
	ema                              [2]*engine.Buffer
	step, bytes, labels, scalars     *engine.Buffer // step buffer; packed pictures; their classes, nil without any; loss and gradient norm
	program                          *engine.Program
	at                               int // steps begun
	waited                           int // steps whose outcome is known
	scaler                           lossScaler
	data                             string // the data set's Fingerprint, kept in checkpoints
}

// NewState allocates a run's memory and records its step. The parameters have no values until Init or Load.
func NewState(d *engine.Device, c Config) (*State, error) { return newState(d, c, false) }

func newState(d *engine.Device, c Config, profile bool) (s *State, err error) {
	if !isPrecision(c.Precision) {
		c.Precision = autoPrecision(d.Info())
	}
	s = &State{Config: c, dev: d, scaler: newLossScaler(c.Precision)}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.m, err = model.New(d, c.Model); err != nil {
		return s, err
	}
	l := s.m.Layout
	size := c.Model.Size
	averages := func(decay float64) int64 {
		if decay == 0 {
			return 0
		}
		return l.Bytes()
	}
	labels := int64(0)
	if c.Model.Classes > 0 {
		labels = 4 * int64(c.Batch)
	}
	packed := (int64(c.Batch)*3*int64(size)*int64(size) + 3) / 4 * 4
	for _, b := range []struct {
		to    **engine.Buffer
		label string
		size  int64
	}{{&s.weights, "weights", l.Bytes()}, {&s.grads, "gradients", l.Bytes()}, {&s.moment1, "adam m", l.Bytes()}, {&s.moment2, "adam v", l.Bytes()},
		{&s.ema[0], "ema", averages(c.EMA)}, {&s.ema[1], "second ema", averages(c.EMA2)}, {&s.step, "step", kernels.StepBytes}, {&s.bytes, "pictures", packed},
		{&s.labels, "labels", labels}, {&s.scalars, "scalars", 512}} {
		if b.size == 0 {
			continue
		}
		if *b.to, err = d.NewBuffer(b.label, b.size); err != nil {
			return s, err
		}
	}
	s.program = s.record()
	if profile {
		s.program.Profile()
	}
	if err = s.program.Build(); err != nil {
		return s, err
	}
	return s, nil
}

// record is one training step: pictures to floats, the flow's example, forward, backward, clip, AdamW, EMA.
func (s *State) record() *engine.Program {
	p := engine.NewProgram(s.dev, "training step")
	c, l := s.Config, s.m.Layout
	step := kernels.View(s.step.All(), kernels.StepBytes/4)
	loss, norm := s.loss(), s.norm()

	x := kernels.Temp(p, "x", c.Batch, 3, c.Model.Size, c.Model.Size)
	kernels.Images(p, x, kernels.View(s.bytes.All(), int(s.bytes.Size()/4)), step, kernels.ImagesOptions{Flip: c.Flip, Stream: kernels.StreamFlip})
	tape := autograd.New(p)
	tape.Precision = precisions[c.Precision]
	var labels *kernels.Tensor
	if s.labels != nil {
		v := kernels.View(s.labels.All(), c.Batch)
		labels = &v
	}
	s.m.Train(tape, s.m.Bind(tape, s.weights, s.grads), loss, x, labels, step)

	w, g := l.Flat(s.weights), l.Flat(s.grads)
	kernels.GradNorm(p, norm, g)
	kernels.AdamW(p, w, g, l.Flat(s.moment1), l.Flat(s.moment2), norm, step,
		kernels.AdamWOptions{Beta1: beta1, Beta2: beta2, Eps: eps, Clip: float32(c.Clip)})
	for i, ema := range s.ema {
		if ema != nil {
			kernels.EMA(p, l.Flat(ema), w, step, i)
		}
	}
	return p
}

func (s *State) loss() kernels.Tensor { return kernels.View(s.scalars.Range(0, 4), 1) }
func (s *State) norm() kernels.Tensor { return kernels.View(s.scalars.Range(256, 4), 1) }

// Close frees the run's memory.
func (s *State) Close() {
	if s.program != nil {
		s.program.Close()
	}
	for _, b := range []*engine.Buffer{s.weights, s.grads, s.moment1, s.moment2, s.ema[0], s.ema[1], s.step, s.bytes, s.labels, s.scalars} {
		b.Close()
	}
	if s.m != nil {
		s.m.Close()
	}
}

// Init gives the parameters their initial values and clears the optimizer's state.
func (s *State) Init() error {
	flat, err := s.m.Layout.Pack(s.Config.Model.Init(s.Seed))
	if err != nil {
		return err
	}
	if err := s.dev.Upload(s.weights.All(), flat); err != nil {
		return err
	}
	for _, ema := range s.ema {
		if ema == nil {
			continue
		}
		if err := s.dev.Upload(ema.All(), flat); err != nil {
			return err
		}
	}
	return s.zero(s.grads, s.moment1, s.moment2) // gradients too: the gaps between them stay zero
}

// zero fills buffers with zeros.
func (s *State) zero(buffers ...*engine.Buffer) error {
	p := engine.NewProgram(s.dev, "zero")
	defer p.Close()
	for _, b := range buffers {
		p.Fill(b.All(), 0)
	}
	if err := p.Build(); err != nil {
		return err
	}
	sub, err := p.Submit(nil, nil)
	if err != nil {
		return err
	}
	_, err = sub.Wait()
	return err
}

// Result is a step's outcome, read back from the device.
type Result struct {
	Step           int
	Loss, GradNorm float32
	LR             float64
	Skipped        bool // a gradient overflowed in fp16, and the weights are as before
}

// Pending is a step under way.
type Pending struct {
	state  *State
	sub    *engine.Submission
	result Result
	scale  float32
}

// Step starts the next step on a batch of packed pictures (Batch,Size,Size,3) and their classes (Batch), nil standing for no
// class at all. Two steps may be under way at once.
func (s *State) Step(pictures []byte, labels []uint32) (Pending, error) {
	t, scale := s.at, s.scaler.next(s.at-s.waited)
	step := kernels.Step{Seed: s.Seed, Step: uint32(t), LR: float32(s.lr(t)), LossScale: scale, EMADecay: [2]float32{float32(s.Config.ema(s.EMA, t)), float32(s.Config.ema(s.EMA2, t))},
		Bias1: float32(1 - math.Pow(beta1, float64(t+1))), Bias2: float32(1 - math.Pow(beta2, float64(t+1)))}
	packed := pictures
	if pad := int(s.bytes.Size()) - len(pictures); pad > 0 {
		packed = append(append([]byte{}, pictures...), make([]byte, pad)...)
	}
	updates := []engine.Update{{To: s.step.All(), Data: step.Data()}, {To: s.bytes.All(), Data: packed}}
	if s.labels != nil {
		updates = append(updates, engine.Update{To: s.labels.All(), Data: s.classes(labels)})
	}
	sub, err := s.program.Submit(updates,
		[]engine.Range{s.loss().Range, s.norm().Range})
	if err != nil {
		return Pending{}, err
	}
	s.at++
	return Pending{s, sub, Result{Step: s.at, LR: s.lr(t)}, scale}, nil
}

// classes returns labels as the device reads them.
func (s *State) classes(labels []uint32) []byte {
	out := make([]byte, 0, 4*s.Batch)
	for i := range s.Batch {
		class := uint32(s.Config.Model.Classes) // none
		if labels != nil {
			class = labels[i]
		}
		out = binary.LittleEndian.AppendUint32(out, class)
	}
	return out
}

// Wait returns the step's result; steps are waited for in the order in which they began.
func (p Pending) Wait() (Result, error) {
	data, err := p.sub.Wait()
	if err != nil {
		return Result{}, err
	}
	r := p.result
	r.Loss, r.GradNorm = checkpoint.DecodeFloat32(data[0])[0], checkpoint.DecodeFloat32(data[1])[0]/p.scale
	p.state.waited++
	v := float64(r.Loss) + float64(r.GradNorm)
	r.Skipped = math.IsNaN(v) || math.IsInf(v, 0) // the optimizer left the weights as they were
	return r, p.state.scaler.done(r, !r.Skipped)
}

// sampleWeights is what pictures are drawn with.
func (s *State) sampleWeights() *engine.Buffer {
	if s.ema[0] != nil {
		return s.ema[0]
	}
	return s.weights
}

// A part is one of a checkpoint's tensors for every parameter.
type part struct {
	prefix string
	buffer *engine.Buffer
}

// parts are what a checkpoint holds: NAME for a weight, ema/NAME and ema2/NAME for its averages, adam.m/NAME and adam.v/NAME
// for the optimizer's moments.
func (s *State) parts() []part {
	list := []part{{"", s.weights}, {"ema/", s.ema[0]}, {"ema2/", s.ema[1]}, {"adam.m/", s.moment1}, {"adam.v/", s.moment2}}
	return slices.DeleteFunc(list, func(p part) bool { return p.buffer == nil })
}

// Tensors downloads the run's state as named tensors.
func (s *State) Tensors() ([]checkpoint.Tensor, error) {
	var out []checkpoint.Tensor
	for _, part := range s.parts() {
		flat, err := s.dev.Download(part.buffer.All())
		if err != nil {
			return nil, err
		}
		for _, p := range s.m.Layout.Params {
			out = append(out, checkpoint.Tensor{Name: part.prefix + p.Name, DType: "F32", Shape: p.Shape, Data: s.m.Layout.Slice(flat, p)})
		}
	}
	return out, nil
}
