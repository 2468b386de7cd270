// SPDX-License-Identifier: MIT

package trainer

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"jitvk/autograd"
	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/model"
	"jitvk/model/checkpoint"
	"jitvk/model/run"
)

// State is a training run on a device: the parameters and all that an optimizer step reads and writes, and the step
// itself as a recorded program.
type State struct {
	run.Config
	dev *engine.Device
	m   *model.Model
	// Of one layout. An average of the weights that is not wanted is nil.
	weights, grads, moment1, moment2 *model.Flat
	ema                              [2]*model.Flat
	step, bytes, labels, scalars     *engine.Buffer  // step buffer; packed pictures; classes, nil without any; loss and gradient norms
	program                          *engine.Program // forward and backward for one batch; without accumulation the update too
	update                           *engine.Program // the optimizer's update, where gradients are accumulated; else nil
	at                               int             // steps begun
	waited                           int             // steps whose outcome is known
	scaler                           lossScaler
	precision                        kernels.Precision
	data                             string // the data set's Fingerprint, kept in checkpoints
}

// AdamW's other constants (official JiT code and the post alike).
const (
	beta1 = 0.9
	beta2 = 0.95
	eps   = 1e-8
)

// NewState allocates a run's memory and records its step. The parameters have no values until Init or Load.
func NewState(d *engine.Device, c run.Config) (s *State, err error) {
	precision, err := kernels.ParsePrecision(c.Precision, d.Info())
	if err != nil {
		return nil, fmt.Errorf("train: -precision %w", err)
	}
	c.Precision = precision.String()
	s = &State{Config: c, dev: d, precision: precision, scaler: newLossScaler(c.Precision)}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.m, err = model.New(d, c.Model); err != nil {
		return s, err
	}
	s.m.CheckpointBlocks = c.CheckpointBlocks
	for _, f := range []struct {
		to     **model.Flat
		label  string
		wanted bool
	}{{&s.weights, "weights", true}, {&s.grads, "gradients", true}, {&s.moment1, "adam m", true}, {&s.moment2, "adam v", true},
		{&s.ema[0], "ema", c.EMA != 0}, {&s.ema[1], "second ema", c.EMA2 != 0}} {
		if !f.wanted {
			continue
		}
		if *f.to, err = s.m.Layout.NewFlat(d, f.label); err != nil {
			return s, err
		}
	}
	size := c.Model.Size
	labels := int64(0)
	if c.Model.Classes > 0 {
		labels = 4 * int64(c.Batch)
	}
	packed := (int64(c.Batch)*3*int64(size)*int64(size) + 3) / 4 * 4
	for _, b := range []struct {
		to    **engine.Buffer
		label string
		size  int64
	}{{&s.step, "step", kernels.StepBytes}, {&s.bytes, "pictures", packed}, {&s.labels, "labels", labels}, {&s.scalars, "scalars", 768}} {
		if b.size == 0 {
			continue
		}
		if *b.to, err = d.NewBuffer(b.label, b.size); err != nil {
			return s, err
		}
	}
	s.program = engine.NewProgram(d, "training step")
	s.gradients(s.program)
	if c.Accumulate > 1 {
		s.update = engine.NewProgram(d, "update")
		s.optimize(s.update)
		s.grads.Zero(s.update) // the batches of the next step add to it
	} else {
		s.optimize(s.program)
	}
	for _, p := range s.programs() {
		if c.Profile > 0 {
			p.Profile()
		}
		if err = p.Build(); err != nil {
			return s, err
		}
	}
	return s, nil
}

// programs are what a step replays.
func (s *State) programs() []*engine.Program {
	if s.update == nil {
		return []*engine.Program{s.program}
	}
	return []*engine.Program{s.program, s.update}
}

// FLOPs returns the floating point operations of a step.
func (s *State) FLOPs() float64 {
	n := float64(s.Accumulate) * s.program.FLOPs()
	if s.update != nil {
		n += s.update.FLOPs()
	}
	return n
}

// gradients records a batch's part of a training step: pictures to floats, the flow's example, forward, backward.
func (s *State) gradients(p *engine.Program) {
	c, step := s.Config, s.stepBuffer()
	x := kernels.Temp(p, "x", c.Batch, 3, c.Model.Size, c.Model.Size)
	kernels.Images(p, x, kernels.View(s.bytes.All(), int(s.bytes.Size()/4)), step,
		kernels.ImagesOptions{Flip: c.Flip, Stream: kernels.StreamFlip})
	tape := autograd.New(p)
	tape.Precision, tape.AddGrads = s.precision, c.Accumulate > 1
	var labels *kernels.Tensor
	if s.labels != nil {
		v := kernels.View(s.labels.All(), c.Batch)
		labels = &v
	}
	s.m.Train(tape, s.m.Bind(tape, s.weights, s.grads), s.loss(), x, labels, step)
}

// optimize records the end of a training step: clip, AdamW, EMA.
func (s *State) optimize(p *engine.Program) {
	c, step, norm := s.Config, s.stepBuffer(), s.norm()
	w, g, m, v := s.weights.Pieces(), s.grads.Pieces(), s.moment1.Pieces(), s.moment2.Pieces()
	o := kernels.AdamWOptions{Beta1: beta1, Beta2: beta2, Eps: eps, Clip: float32(c.Clip)}
	if s.scaler.on {
		before := s.normBefore()
		p.Copy(before.Range, norm.Range)
		o.Before = &before
	}
	kernels.GradNorm(p, norm, g...)
	for i := range w {
		kernels.AdamW(p, w[i], g[i], m[i], v[i], norm, step, o)
	}
	for which, average := range s.ema {
		if average == nil {
			continue
		}
		for i, ema := range average.Pieces() {
			kernels.EMA(p, ema, w[i], step, which)
		}
	}
}

func (s *State) stepBuffer() kernels.Tensor { return kernels.View(s.step.All(), kernels.StepBytes/4) }

func (s *State) loss() kernels.Tensor { return kernels.View(s.scalars.Range(0, 4), 1) }
func (s *State) norm() kernels.Tensor { return kernels.View(s.scalars.Range(256, 4), 1) }

// normBefore is the norm of the step before: where scales may overflow, AdamW asks it whether that step counts.
func (s *State) normBefore() kernels.Tensor { return kernels.View(s.scalars.Range(512, 4), 1) }

// Close frees the run's memory.
func (s *State) Close() {
	for _, p := range s.programs() {
		if p != nil {
			p.Close()
		}
	}
	for _, f := range []*model.Flat{s.weights, s.grads, s.moment1, s.moment2, s.ema[0], s.ema[1]} {
		f.Close()
	}
	for _, b := range []*engine.Buffer{s.step, s.bytes, s.labels, s.scalars} {
		b.Close()
	}
	if s.m != nil {
		s.m.Close()
	}
}

// Init gives the parameters their initial values and clears the optimizer's state.
func (s *State) Init() error {
	if err := s.weights.Init(s.Seed); err != nil {
		return err
	}
	return s.dev.Once("initial state", func(p *engine.Program) {
		for _, f := range []*model.Flat{s.grads, s.moment1, s.moment2} { // gradients too: the gaps between them stay zero
			f.Zero(p)
		}
		for _, average := range s.ema {
			if average != nil {
				average.Copy(p, s.weights)
			}
		}
	})
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
	subs   []*engine.Submission // which read back the loss of each batch, and at last the norm
	result Result
	scale  float32
}

// Step starts the next step, on the next Accumulate batches, each of which is gathered when the device can take it. Their gradients
// are summed; a picture's random numbers depend on its place among all of the step, so that the sum is that of one large batch but
// for rounding. Two steps may be under way at once.
func (s *State) Step(from Pictures) (Pending, error) {
	t, under := s.at, s.at-s.waited
	if under > 1 {
		panic(fmt.Sprintf("trainer: step %d begins while %d are under way: wait until there is 1", t+1, under))
	}
	scale := s.scaler.next(under)
	step := kernels.Step{Seed: s.Seed, Step: uint32(t), LR: float32(s.LearningRate(t)), LossScale: scale / float32(s.Accumulate),
		EMADecay: [2]float32{float32(s.EMAAt(s.EMA, t)), float32(s.EMAAt(s.EMA2, t))}}
	// Steps that were skipped do not count. If one is under way, the device knows its outcome by when it needs it.
	counted := s.waited - s.scaler.Skipped + 1 // with this one
	step.Bias1, step.Bias2 = biases(counted + under)
	step.SkipBias1, step.SkipBias2 = biases(counted)
	p := Pending{state: s, result: Result{Step: t + 1, LR: s.LearningRate(t)}, scale: scale}
	submit := func(program *engine.Program, updates []engine.Update, reads ...engine.Range) error {
		sub, err := program.Submit(append(updates, engine.Update{To: s.step.All(), Data: step.Data()}), reads)
		p.subs = append(p.subs, sub)
		return err
	}
	for i := range s.Accumulate {
		step.Image0 = uint32(i * s.Batch)
		updates, reads := s.batch(from, int64(t)*int64(s.Accumulate)+int64(i)), []engine.Range{s.loss().Range}
		if s.update == nil {
			reads = append(reads, s.norm().Range)
		}
		if err := submit(s.program, updates, reads...); err != nil {
			return Pending{}, err
		}
	}
	if s.update != nil {
		step.LossScale = scale // each batch's gradient was divided by their number: the sum is the mean
		if err := submit(s.update, nil, s.norm().Range); err != nil {
			return Pending{}, err
		}
	}
	s.at++
	return p, nil
}

// biases are Adam's bias corrections at the t-th step that counts.
func biases(t int) (float32, float32) {
	return float32(1 - math.Pow(beta1, float64(t))), float32(1 - math.Pow(beta2, float64(t)))
}

// batch is how a batch comes into device memory.
func (s *State) batch(from Pictures, number int64) []engine.Update {
	updates := []engine.Update{{To: s.bytes.All(), Fill: func(dst []byte) {
		n := 3 * s.Batch * s.Config.Model.Size * s.Config.Model.Size
		from.Batch(dst[:n:n], number)
		clear(dst[n:]) // up to a whole word
	}}}
	if s.labels == nil {
		return updates
	}
	return append(updates, engine.Update{To: s.labels.All(), Fill: func(dst []byte) {
		labels := make([]uint32, s.Batch)
		from.Labels(labels, number)
		for i, class := range labels {
			binary.LittleEndian.PutUint32(dst[4*i:], class)
		}
	}})
}

// Wait returns the step's result; steps are waited for in the order in which they began.
func (p Pending) Wait() (Result, error) {
	var read []float32 // each batch's loss, then the norm
	for _, sub := range p.subs {
		data, err := sub.Wait()
		if err != nil {
			return Result{}, err
		}
		for _, d := range data {
			read = append(read, kernels.Floats(d)...)
		}
	}
	r, batches := p.result, p.state.Accumulate
	mean := 0.0
	for _, loss := range read[:batches] {
		mean += float64(loss) / float64(batches)
	}
	r.Loss, r.GradNorm = float32(mean), read[batches]/p.scale
	p.state.waited++
	norm := read[batches]
	r.Skipped = norm-norm != 0 // not finite: by this same number the optimizer left the weights as they were
	return r, p.state.scaler.done(r)
}

// sampleWeights is what pictures are drawn with.
func (s *State) sampleWeights() *model.Flat {
	if s.ema[0] != nil {
		return s.ema[0]
	}
	return s.weights
}

// A part is one of a checkpoint's tensors for every parameter.
type part struct {
	prefix string
	values *model.Flat
}

// parts are what a checkpoint holds: NAME for a weight, ema/NAME and ema2/NAME for its averages, adam.m/NAME and adam.v/NAME
// for the optimizer's moments.
func (s *State) parts() []part {
	list := []part{{"", s.weights}, {"ema/", s.ema[0]}, {"ema2/", s.ema[1]}, {"adam.m/", s.moment1}, {"adam.v/", s.moment2}}
	return slices.DeleteFunc(list, func(p part) bool { return p.values == nil })
}

// save writes the run's state into a checkpoint, straight from the device: what is on the host at a time is the engine's staging
// memory.
func (s *State) save(path string) error {
	meta, err := s.meta()
	if err != nil {
		return err
	}
	var specs []checkpoint.Spec
	memory := map[string]engine.Range{}
	for _, part := range s.parts() {
		for _, p := range s.m.Layout.Params {
			name := part.prefix + p.Name
			specs, memory[name] = append(specs, checkpoint.Spec{Name: name, DType: "F32", Shape: p.Shape}), part.values.View(p).Range
		}
	}
	return checkpoint.SaveFrom(path, meta, specs, func(w io.Writer, inOrder []checkpoint.Spec) error {
		ranges := make([]engine.Range, len(inOrder))
		for i, spec := range inOrder {
			ranges[i] = memory[spec.Name]
		}
		return s.dev.DownloadTo(w, ranges...)
	})
}
