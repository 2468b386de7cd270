// SPDX-License-Identifier: MIT

// Package sampler draws pictures from a trained model: it walks the flow's ordinary differential equation dz/dtau = v(z, tau)
// from noise (tau 0) to image (tau 1) with Euler's or Heun's method, with classifier-free guidance where the model knows
// classes. The state stays on the device; what a step does is to replay a few programs that were recorded once.
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
	"jitvk/model/ode"
)

// Solver is how a step goes from one flow time to the next.
type Solver int

const (
	Euler Solver = iota // order 1: the velocity where the step begins
	Heun                // order 2: the mean of those at both ends. The step that ends at tau = 1 is Euler's, as in the paper's code
)

// String is the solver's name.
func (s Solver) String() string { return [...]string{"Euler", "Heun"}[s] }

// Evaluations returns how often n steps to tau = 1 ask for the velocity.
func (s Solver) Evaluations(n int) int { return n + int(s)*(n-1) }

// Sampler is a model's forward pass, and what solvers do with it, recorded for a fixed batch.
type Sampler struct {
	dev      *engine.Device
	m        model.Config
	batch    int
	buffers  []*engine.Buffer
	programs []*engine.Program

	z, begin       kernels.Tensor // (batch,3,ImgH,ImgW): the state, and where it was when the step began
	u, none, image kernels.Tensor // like z: the network's prediction, that without a class, and the image predicted
	tau, labels    kernels.Tensor // (batch)
	step           kernels.Tensor

	start   *engine.Program // z = noise
	predict *engine.Program // u = network(z, tau, labels)
	hold    *engine.Program // none = u
	guide   *engine.Program // u = none + w (u - none)
	euler   *engine.Program // z += dt v(z, u)
	ahead   *engine.Program // begin = z, and then as euler: Heun's way to the other end of the step
	heun    *engine.Program // z = (begin + z + dt v(z, u))/2
	clean   *engine.Program // image = x(z, u)
}

// Guidance is classifier-free guidance (Ho and Salimans, arXiv 2207.12598): the velocity is v = none + Weight (v - none),
// none being that without a class, where Low < tau < High, and v elsewhere (Kynkäänniemi et al., arXiv 2404.07724). Low 0
// includes tau = 0.
type Guidance struct {
	Weight    float64 // 1 changes nothing, 0 is as without a class
	Low, High float64 // flow times; the paper takes 0.1 and 1
}

// at tells whether there is anything to do at tau. Where there is not, the network is asked once and not twice.
func (g *Guidance) at(tau float64) bool {
	return g != nil && g.Weight != 1 && tau < g.High && (g.Low == 0 || tau > g.Low)
}

// Options say what to draw.
type Options struct {
	N        int    // pictures
	Seed     uint64 // of the initial noise; picture i depends on (Seed, i), its label and nothing else
	Steps    int    // solver steps
	Solver   Solver
	Labels   []int     // class of each picture (N), Config.Classes for none; nil: none
	Guidance *Guidance // towards the labels; nil: as the network has learned
	EndOnZ   bool      // return z where the walk ends, not the image predicted in its last step
	Until    float64   // flow time at which the walk ends; 0: 1
	// Trajectory, if not nil, is given the state (3,ImgH,ImgW) of every picture at every point of the time grid.
	Trajectory func(picture, point int, tau float64, z []float32)
	Progress   func(done, total int) // solver steps, over all batches; may be nil
}

// New records the programs. params are the weights to sample with; precision is what the operands of products are
// rounded to.
func New(d *engine.Device, m *model.Model, params *model.Flat, batch int, precision kernels.Precision) (*Sampler, error) {
	return forNetwork(d, m.Config, batch, func(t *autograd.Tape, z, tau *autograd.Var, labels *kernels.Tensor) *autograd.Var {
		t.Precision = precision
		return m.Forward(t, m.Bind(t, params, nil), z, tau, labels)
	})
}

// forNetwork is New for any network, as tests have.
func forNetwork(d *engine.Device, m model.Config, batch int,
	network func(t *autograd.Tape, z, tau *autograd.Var, labels *kernels.Tensor) *autograd.Var) (s *Sampler, err error) {
	s = &Sampler{dev: d, m: m, batch: batch}
	defer func() {
		if err != nil {
			s.Close()
			s = nil
		}
	}()
	kind, err := kernels.ParseKind(m.Predict)
	if err != nil {
		return s, fmt.Errorf("sampler: prediction %w", err)
	}
	tensor := func(label string, shape ...int) (t kernels.Tensor) {
		var b *engine.Buffer
		if err == nil {
			if b, err = d.NewBuffer("sample "+label, 4*int64(kernels.Tensor{Shape: shape}.Len())); err == nil {
				s.buffers = append(s.buffers, b)
				t = kernels.View(b.All(), shape...)
			}
		}
		return t
	}
	pictures := []int{batch, 3, m.Size, m.Size}
	s.z, s.begin = tensor("z", pictures...), tensor("z before the step", pictures...)
	s.u, s.image = tensor("prediction", pictures...), tensor("image", pictures...)
	s.tau, s.step = tensor("tau", batch), tensor("step", kernels.StepBytes/4)
	var labels *kernels.Tensor // none where the model has none
	if m.Classes > 0 {
		s.none, s.labels = tensor("prediction without a class", pictures...), tensor("labels", batch)
		labels = &s.labels
	}
	if err != nil {
		return s, err
	}
	program := func(label string, record func(p *engine.Program)) *engine.Program {
		p := engine.NewProgram(d, label)
		if s.programs = append(s.programs, p); err == nil {
			record(p)
			err = p.Build()
		}
		return p
	}
	o := kernels.SolverOptions{Predict: kind, TauClamp: model.TauClamp}
	s.start = program("sample start", func(p *engine.Program) {
		kernels.Normal(p, s.z, s.step, float32(m.NoiseScale), kernels.StreamSample)
	})
	s.predict = program("sample prediction", func(p *engine.Program) {
		tape := autograd.New(p)
		u := network(tape, tape.Const(s.z), tape.Const(s.tau), labels)
		p.Copy(s.u.Range, u.Value.Range)
	})
	s.euler = program("sample Euler step", func(p *engine.Program) { kernels.EulerStep(p, s.z, s.u, s.step, o) })
	s.ahead = program("sample way ahead", func(p *engine.Program) {
		p.Copy(s.begin.Range, s.z.Range)
		kernels.EulerStep(p, s.z, s.u, s.step, o)
	})
	s.heun = program("sample Heun step", func(p *engine.Program) { kernels.HeunStep(p, s.z, s.begin, s.u, s.step, o) })
	s.clean = program("sample image", func(p *engine.Program) { kernels.CleanImage(p, s.image, s.z, s.u, s.step, o) })
	if labels != nil {
		s.hold = program("sample hold", func(p *engine.Program) { p.Copy(s.none.Range, s.u.Range) })
		s.guide = program("sample guidance", func(p *engine.Program) { kernels.Guide(p, s.u, s.none, s.step) })
	}
	return s, err
}

// Batches returns in how many batches n pictures are drawn.
func (s *Sampler) Batches(n int) int { return (n + s.batch - 1) / s.batch }

// Close frees the sampler's memory.
func (s *Sampler) Close() {
	for _, p := range s.programs {
		p.Close()
	}
	for _, b := range s.buffers {
		b.Close()
	}
}

// check says what cannot be drawn.
func (s *Sampler) check(o Options) error {
	g := o.Guidance
	switch {
	case o.N < 1 || o.Steps < 1:
		return fmt.Errorf("sampler: %d pictures in %d steps: both must be at least 1", o.N, o.Steps)
	case o.Labels != nil && s.m.Classes == 0:
		return fmt.Errorf("sampler: labels, but the model knows no classes")
	case o.Labels != nil && len(o.Labels) != o.N:
		return fmt.Errorf("sampler: %d labels for %d pictures", len(o.Labels), o.N)
	case !(o.Until >= 0 && o.Until <= 1):
		return fmt.Errorf("sampler: flow time %g to end at: it must be above 0 and at most 1", o.Until)
	case g != nil && o.Labels == nil:
		return fmt.Errorf("sampler: guidance needs labels to guide to")
	case g != nil && (math.IsNaN(g.Weight) || math.IsInf(g.Weight, 0) || !(g.Low >= 0 && g.Low < g.High && g.High <= 1)):
		return fmt.Errorf("sampler: guidance %g for tau from %g to %g: a finite weight and 0 <= low < high <= 1 wanted", g.Weight, g.Low,
			g.High)
	}
	for i, l := range o.Labels {
		if l < 0 || l > s.m.Classes {
			return fmt.Errorf("sampler: label %d of picture %d: the model knows 0 to %d, and %d for none", l, i, s.m.Classes-1, s.m.Classes)
		}
	}
	return nil
}

// Sample draws o.N pictures (N,3,ImgH,ImgW). What it returns is the image predicted in the last step, as the blog post
// shows it: with 1 - tau clamped, z itself keeps a little noise at tau = 1. The states go to o.Trajectory.
func (s *Sampler) Sample(ctx context.Context, o Options) ([]float32, error) {
	if err := s.check(o); err != nil {
		return nil, err
	}
	if o.Until == 0 {
		o.Until = 1
	}
	d := &drawing{Options: o, taus: ode.Grid(0, o.Until, o.Steps), total: s.Batches(o.N) * o.Steps,
		pictures: make([]float32, 0, o.N*3*s.m.Size*s.m.Size)}
	for first := 0; first < o.N; first += s.batch {
		if err := s.newWalk(d, first).run(ctx); err != nil {
			return nil, err
		}
	}
	return d.pictures, d.finish()
}

// A drawing is what one call of Sample has to do and what has come of it. The host is one step ahead of the device: it submits a
// step, and only then waits for the one before.
type drawing struct {
	Options
	taus        []float64
	done, total int       // steps, over all batches
	pictures    []float32 // of the batches that have ended
	before      *point    // under way
}

// A point is where a step of a walk ends, or where the walk begins.
type point struct {
	walk
	number int // of the time grid
	last   *engine.Submission
}

// push takes a point whose step has been submitted.
func (d *drawing) push(p point) error {
	err := d.finish()
	d.before = &p
	return err
}

// finish waits for the point under way and passes on what it brings.
func (d *drawing) finish() error {
	p := d.before
	if d.before = nil; p == nil {
		return nil
	}
	read, err := p.last.Wait()
	if err != nil {
		return err
	}
	values := 3 * p.m.Size * p.m.Size
	if d.Trajectory != nil {
		z := kernels.Floats(read[0])
		for i := range p.n {
			d.Trajectory(p.first+i, p.number, d.taus[p.number], z[i*values:(i+1)*values])
		}
	}
	if p.number == d.Steps {
		d.pictures = append(d.pictures, kernels.Floats(read[len(read)-1])[:p.n*values]...)
	}
	if p.number == 0 {
		return nil
	}
	if d.done++; d.Progress != nil {
		d.Progress(d.done, d.total)
	}
	return nil
}

// A walk is one batch of pictures on its way.
type walk struct {
	*Sampler
	*drawing
	first, n int          // its pictures; the rest of the batch is drawn and thrown away
	noise    kernels.Step // where their noise comes from
	of, no   []byte       // labels: theirs, and none for all
}

func (s *Sampler) newWalk(d *drawing, first int) walk {
	w := walk{Sampler: s, drawing: d, first: first, n: min(s.batch, d.N-first), noise: kernels.Step{Seed: d.Seed, Image0: uint32(first)}}
	for i := range s.batch {
		none := uint32(s.m.Classes)
		label := none
		if d.Labels != nil && i < w.n {
			label = uint32(d.Labels[first+i])
		}
		w.of, w.no = binary.LittleEndian.AppendUint32(w.of, label), binary.LittleEndian.AppendUint32(w.no, none)
	}
	return w
}

// run walks from noise to the last point of the grid.
func (w walk) run(ctx context.Context) error {
	if err := w.arrive(0, w.solver(w.start, 0, 0)); err != nil {
		return err
	}
	return ode.Solve(w.taus, func(i int, tau, dt float64) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		stages := w.evaluate(tau)
		if i == w.Steps-1 && !w.EndOnZ {
			stages = append(stages, w.solver(w.clean, tau, dt))
		}
		if end := w.taus[i+1]; w.Solver == Heun && end < 1 {
			stages = append(stages, w.solver(w.ahead, tau, dt))
			stages = append(append(stages, w.evaluate(end)...), w.solver(w.heun, end, dt))
		} else {
			stages = append(stages, w.solver(w.euler, tau, dt))
		}
		return w.arrive(i+1, stages...)
	})
}

// arrive submits what leads to a point of the time grid, reading back there what is asked for.
func (w walk) arrive(number int, stages ...stage) error {
	var reads []engine.Range
	if w.Trajectory != nil {
		reads = append(reads, w.z.Range)
	}
	switch {
	case number == w.Steps && w.EndOnZ:
		reads = append(reads, w.z.Range)
	case number == w.Steps:
		reads = append(reads, w.image.Range)
	}
	p := point{walk: w, number: number}
	for i, g := range stages {
		var back []engine.Range
		if i == len(stages)-1 {
			back = reads
		}
		var err error
		if p.last, err = g.program.Submit(g.updates, back); err != nil {
			return err
		}
	}
	return w.push(p)
}

// A stage is one replay of a program, with what is put into device memory before it.
type stage struct {
	program *engine.Program
	updates []engine.Update
}

// evaluate leaves in u what the network predicts for z at tau. Guiding that prediction is guiding the velocity, which is affine
// in it with coefficients that do not depend on the label.
func (w walk) evaluate(tau float64) []stage {
	if w.Guidance.at(tau) {
		return []stage{w.network(tau, w.no), {program: w.hold}, w.network(tau, w.of), w.solver(w.guide, tau, 0)}
	}
	return []stage{w.network(tau, w.of)}
}

func (w walk) network(tau float64, labels []byte) stage {
	var times []byte
	for range w.batch {
		times = binary.LittleEndian.AppendUint32(times, math.Float32bits(float32(tau)))
	}
	at := []engine.Update{{To: w.tau.Range, Data: times}}
	if w.m.Classes > 0 {
		at = append(at, engine.Update{To: w.labels.Range, Data: labels})
	}
	return stage{w.predict, at}
}

// solver is a stage that reads the step buffer.
func (w walk) solver(p *engine.Program, tau, dt float64) stage {
	step := w.noise
	step.Tau, step.DT = float32(tau), float32(dt)
	if w.Guidance != nil {
		step.Guidance = float32(w.Guidance.Weight)
	}
	return stage{p, []engine.Update{{To: w.step.Range, Data: step.Data()}}}
}
