// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/measure"
	"jitvk/model"
	"jitvk/model/run"
	"jitvk/model/sampler"
	"jitvk/train/trainer"
)

// A session is one run of the program.
type session struct {
	context.Context
	options
	dev     *engine.Device
	report  *report
	library *library // nil: none here
	torch   *torch   // nil: none here
}

// The others' names, as the tables have them.
const (
	thePeak = "the peak" // for arithmetic with such operands
	sgemm   = "sgemm"
	aCopy   = "a copy"
	memcpy  = "memcpy"
)

// config is a preset's training with the session's batch: the recipe's, but on a CPU driver what it does in seconds.
func (b *session) config(preset string) (run.Config, error) {
	t, err := run.Preset(preset)
	if err != nil {
		return t, err
	}
	if b.dev.Info().CPU() {
		if t.Batch = min(t.Batch, 32); t.Model.Size > 64 {
			t.Batch = 1
		}
	}
	if b.batch > 0 {
		t.Batch = b.batch
	}
	return t, nil
}

// precisions are fp32 and, where a GPU has a matrix unit for it, fp16.
func (b *session) precisions() []kernels.Precision {
	if _, ok := kernels.PeakFragment(b.dev.Info(), kernels.FP16); ok && !b.dev.Info().CPU() {
		return []kernels.Precision{kernels.FP32, kernels.FP16}
	}
	return []kernels.Precision{kernels.FP32}
}

// open opens the device, which chooses its kernels as for training the presets; other shapes are guesses, or what earlier runs
// have measured.
func open(ctx context.Context, o options) (*engine.Device, error) {
	plan, err := engine.Open(engine.Options{Select: o.device, DryRun: true})
	if err != nil {
		return nil, err
	}
	o.tune.Recall(plan)
	b := &session{options: o, dev: plan}
	for _, name := range o.presets {
		t, err := b.config(name)
		if err != nil {
			return nil, err
		}
		for _, precision := range b.precisions() {
			t.Precision = precision.String()
			s, err := trainer.NewState(plan, t)
			switch {
			case err == nil:
				s.Close()
			case !errors.Is(err, engine.ErrOutOfMemory): // which is noted when it is timed
				return nil, err
			}
		}
	}
	return o.tune.Open(ctx, o.device, plan, func(line string) { fmt.Fprintln(os.Stderr, line) })
}

// race lets contenders take turns with the peaks, which it returns. The report keeps the highest that were seen.
func (b *session) race(m *measure.Memory, contenders ...*measure.Contender) (measure.Peaks, error) {
	peaks, found := measure.PeakContenders(m)
	if err := m.Err(); err != nil {
		return nil, err
	}
	if err := measure.Race(b.dev, append(peaks, contenders...), b.rounds); err != nil {
		return nil, err
	}
	best := append(measure.Peaks{}, found()...)
	for i := range best {
		best[i].Rate = max(best[i].Rate, b.report.Peaks.Rate(best[i].Name))
	}
	b.report.Peaks = best
	return found(), nil
}

// A product is c = op(a) op(b) of (M,K) and (K,N).
type product struct {
	m, n, k        int
	transA, transB bool
	gradientA      bool // a is the gradient of an output, which lies in fp32 where weights and what layers read lie in halves
}

func (x product) flops() float64 { return 2 * float64(x.m) * float64(x.n) * float64(x.k) }

// record returns what adds the products to a program.
func record(m *measure.Memory, precision kernels.Precision, products []product) func(p *engine.Program) {
	type operands struct{ c, a, b kernels.Tensor }
	var tensors []operands
	for _, x := range products {
		inA := precision
		if x.gradientA {
			inA = kernels.FP32
		}
		t := operands{m.Tensor(x.m, x.n), m.TensorIn(inA, x.m, x.k), m.TensorIn(precision, x.k, x.n)}
		if x.transA {
			t.a = t.a.Reshape(x.k, x.m)
		}
		if x.transB {
			t.b = t.b.Reshape(x.n, x.k)
		}
		tensors = append(tensors, t)
	}
	return func(p *engine.Program) {
		for i, x := range products {
			kernels.MatMul(p, tensors[i].c, tensors[i].a, tensors[i].b, kernels.MatMulOptions{TransA: x.transA, TransB: x.transB, Precision: precision})
		}
	}
}

// layers are the products of a block's four layers in the three transpose cases of training: y = x wᵀ, dx = dy w, dw = dyᵀ x.
func layers(c model.Config, rows int) (names []string, products [][]product) {
	cases := make([][]product, 3)
	for _, io := range measure.Layers(c.Dim, c.Hidden) {
		in, out := io[0], io[1]
		cases[0] = append(cases[0], product{rows, out, in, false, true, false})
		cases[1] = append(cases[1], product{rows, in, out, false, false, true})
		cases[2] = append(cases[2], product{out, in, rows, true, false, true})
	}
	return []string{"y = x wᵀ", "dx = dy w", "dw = dyᵀ x"}, cases
}

// cube is the size at which matrix products are usually compared.
func (b *session) cube() error {
	return b.products([]string{"512 x 512 x 512"}, [][]product{{{m: 512, n: 512, k: 512}}})
}

func (b *session) matmul(c model.Config) error {
	t, err := b.config(c.Preset)
	if err != nil {
		return err
	}
	names, cases := layers(c, t.Batch*c.Tokens())
	for i := range names {
		names[i] = fmt.Sprintf("%s, batch %d: %s", c.Preset, t.Batch, names[i])
	}
	return b.products(names, cases)
}

// products times lists of products, each as a whole.
func (b *session) products(names []string, cases [][]product) error {
	m := measure.NewMemory(b.dev)
	defer m.Close()
	var all, ours, theirs []*measure.Contender
	for i, products := range cases {
		for _, precision := range b.precisions() {
			ours = append(ours, &measure.Contender{Label: names[i], Record: record(m, precision, products)})
			if b.library != nil {
				theirs = append(theirs, b.library.multiply(products, precision))
			}
		}
	}
	all = append(append(all, ours...), theirs...)
	peaks, err := b.race(m, all...)
	if err != nil {
		return err
	}
	for i, products := range cases {
		gflop := 0.0
		for _, x := range products {
			gflop += x.flops() / 1e9
		}
		for j, precision := range b.precisions() {
			others, at := []other{{thePeak, peaks.Arithmetic(precision)}}, i*len(b.precisions())+j
			if theirs != nil {
				others = append(others, other{theirs[at].Label, gflop / theirs[at].Best().Seconds()})
			}
			b.report.add("matmul", names[i], precision.String(), "GFLOP/s", gflop/ours[at].Best().Seconds(), others...)
		}
	}
	return nil
}

// attention is one block's.
func (b *session) attention(c model.Config) error {
	t, err := b.config(c.Preset)
	if err != nil {
		return err
	}
	m := measure.NewMemory(b.dev)
	defer m.Close()
	B := t.Batch
	a := measure.NewAttention(m, B, c.Tokens(), c.Heads, c.HeadSize())
	_, cases := layers(c, B*c.Tokens())
	productFLOPs := 0.0
	for _, x := range cases[0] {
		productFLOPs += x.flops()
	}
	for _, precision := range b.precisions() {
		opt := kernels.AttentionOptions{Precision: precision}
		matmul := &measure.Contender{Label: "matmul", Record: record(m, precision, cases[0])}
		forward := &measure.Contender{Label: "forward", Record: func(p *engine.Program) { a.Forward(p, opt) }}
		backward := &measure.Contender{Label: "backward", Record: func(p *engine.Program) { a.Backward(p, opt) }}
		var theirs []*measure.Contender
		if b.library != nil && !b.dev.Info().CPU() {
			for _, pass := range []string{"forward", "backward"} {
				theirs = append(theirs, b.library.attend(pass, precision, B, c.Tokens(), c.Heads, c.HeadSize()))
			}
		}
		peaks, err := b.race(m, append(theirs, matmul, forward, backward)...)
		if err != nil {
			return err
		}
		for i, x := range []*measure.Contender{forward, backward} {
			gflop := []float64{a.ForwardFLOPs, a.BackwardFLOPs}[i] / 1e9
			others := []other{{thePeak, peaks.Arithmetic(precision)}, {"our y = x wᵀ", productFLOPs / 1e9 / matmul.Best().Seconds()}}
			if theirs != nil {
				others = append(others, other{theirs[i].Label, gflop / theirs[i].Best().Seconds()})
			}
			b.report.add("attention", fmt.Sprintf("%s, batch %d: %s", c.Preset, B, x.Label), precision.String(), "GFLOP/s", gflop/x.Best().Seconds(), others...)
		}
	}
	return nil
}

// memory is kernels that wait for memory. They are counted by their tensors, each read or written once however often a kernel
// touches it; a copy and a memcpy of one tensor by what they read and what they write.
func (b *session) memory() error {
	m := measure.NewMemory(b.dev)
	defer m.Close()
	const B, T, H, D = 8, 1024, 16, 64
	const rows, C, n = B * T, H * D, B * T * H * D // 32 MiB a tensor
	x, y, z, v := m.Tensor(rows, C), m.Tensor(rows, C), m.Tensor(rows, C), m.Tensor(rows, C)
	w, dw, rstd, one, step := m.Tensor(C), m.Tensor(C), m.Tensor(rows*H), m.Tensor(1), m.Tensor(kernels.StepBytes/4)
	headW, headDW, cos, sin := m.Tensor(D), m.Tensor(D), m.Tensor(T, D/2), m.Tensor(T, D/2)
	if err := m.Err(); err != nil {
		return err
	}
	calm := kernels.Step{LR: 1e-9, Bias1: 1, Bias2: 1, EMADecay: [2]float32{0.999}, LossScale: 1} // many replays must not leave the range of fp32
	if err := b.dev.Upload(step.Range, calm.Data()); err != nil {
		return err
	}
	heads := func(t kernels.Tensor) kernels.Tensor { return t.Reshape(B, T, H, D) }
	half := func(t kernels.Tensor) kernels.Tensor { return kernels.View(t.Range, rows, C/2) }
	rowRstd, headRstd := kernels.View(rstd.Range, rows), rstd
	ops := []struct {
		name    string
		tensors float64 // of n floats
		record  func(p *engine.Program)
	}{
		{"Add", 3, func(p *engine.Program) { kernels.Add(p, y, x, z) }},
		{"RMSNorm forward", 2, func(p *engine.Program) { kernels.RMSNorm(p, y, rowRstd, x, w, 1e-6) }},
		{"RMSNorm backward", 3, func(p *engine.Program) { kernels.RMSNormBackward(p, y, dw, z, x, w, rowRstd, false, false) }},
		{"NormRoPE forward", 2, func(p *engine.Program) {
			kernels.NormRoPE(p, heads(y), headRstd, heads(x), headW, cos, sin, 1e-6, false)
		}},
		{"NormRoPE backward", 4, func(p *engine.Program) {
			kernels.NormRoPEBackward(p, heads(y), headDW, heads(z), heads(v), heads(x), headW, headRstd, cos, sin, false, false, false)
		}},
		{"SwiGLU forward", 1.5, func(p *engine.Program) { kernels.SwiGLU(p, half(y), x, kernels.SwiGLUOptions{}) }},
		{"SwiGLU backward", 2.5, func(p *engine.Program) { kernels.SwiGLUBackward(p, y, half(z), x, kernels.SwiGLUOptions{}) }},
		{"GradNorm", 1, func(p *engine.Program) { kernels.GradNorm(p, one, x) }},
		{"AdamW", 7, func(p *engine.Program) {
			kernels.AdamW(p, y, x, z, v, one, step, kernels.AdamWOptions{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Clip: 1})
		}},
		{"EMA", 3, func(p *engine.Program) { kernels.EMA(p, y, x, step, 0) }},
	}
	const bytes = 4 * n
	all := []*measure.Contender{{Label: aCopy, Record: func(p *engine.Program) { p.Copy(y.Range, x.Range) }}}
	if b.dev.Info().CPU() {
		all = append(all, &measure.Contender{Label: memcpy, Run: copier(bytes)})
	}
	first := len(all)
	for _, op := range ops {
		all = append(all, &measure.Contender{Label: op.name, Record: op.record})
	}
	if _, err := b.race(m, all...); err != nil {
		return err
	}
	rate := func(c *measure.Contender, tensors float64) float64 { return tensors * bytes / 1e9 / c.Best().Seconds() }
	var others []other
	for _, c := range all[:first] {
		others = append(others, other{c.Label, rate(c, 2)})
		b.report.add("memory", c.Label, "", "GB/s", rate(c, 2))
	}
	for i, op := range ops {
		b.report.add("memory", op.name, "", "GB/s", rate(all[first+i], op.tensors), others...)
	}
	return nil
}

// copier returns what copies so many bytes of the host's memory, all cores at once, n times.
func copier(size int) func(n int) error {
	from, to := make([]byte, size), make([]byte, size)
	for i := range from {
		from[i] = byte(i) // pages that nobody wrote to are all the same one
	}
	part := (size + runtime.NumCPU() - 1) / runtime.NumCPU()
	return func(n int) error {
		for range n {
			var wait sync.WaitGroup
			for at := 0; at < size; at += part {
				wait.Go(func() { copy(to[at:min(at+part, size)], from[at:]) })
			}
			wait.Wait()
		}
		return nil
	}
}

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
	pictures := make([]byte, t.Batch*3*c.Size*c.Size)
	for i := range pictures {
		pictures[i] = byte(i * 2654435761 >> 8)
	}
	m := measure.NewMemory(b.dev)
	defer m.Close()
	steps := &measure.Contender{Label: c.Preset, Run: func(n int) error {
		var under []trainer.Pending
		for i := range n + 1 {
			if i < n {
				p, err := s.Step(pictures, nil)
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
	}}
	peaks, err := b.race(m, steps)
	if err != nil {
		return err
	}
	seconds := steps.Median().Seconds()
	name, images := fmt.Sprintf("%s, batch %d", c.Preset, t.Batch), float64(t.Batch)/seconds
	others := b.peers(c.Preset, t.Batch, s.Precision, func(x torchResult) float64 { return x.Train })
	b.report.add("step", name, s.Precision, "images/s", images, others...)
	precision, err := kernels.ParsePrecision(s.Precision, b.dev.Info())
	if err != nil {
		return err
	}
	b.report.add("step", name+": all kernels", s.Precision, "GFLOP/s", s.FLOPs()/1e9/seconds, other{thePeak, peaks.Arithmetic(precision)})
	b.report.add(footprint, name, s.Precision, "GB", held, b.peers(c.Preset, t.Batch, s.Precision, func(x torchResult) float64 { return x.Peak * (1 << 20) / 1e9 })...)
	return nil
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
	weights, err := b.dev.NewBuffer("weights", net.Layout.Bytes())
	if err != nil {
		return err
	}
	defer weights.Close()
	flat, err := net.Layout.Pack(c.Init(1))
	if err != nil {
		return err
	}
	if err := b.dev.Upload(weights.All(), flat); err != nil {
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
	b.report.add("sample", fmt.Sprintf("%s, batch %d, %d Euler steps", c.Preset, t.Batch, b.solver), "fp32", "images/s", float64(t.Batch)/draw.Median().Seconds(),
		b.peers(c.Preset, t.Batch, "fp32", func(x torchResult) float64 { return x.Sample })...)
	return nil
}
