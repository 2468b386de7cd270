// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/measure"
)

// memory is kernels that wait for memory. They are counted by their tensors, each read or written once however often a kernel
// touches it; a copy and a memcpy of one tensor by what they read and what they write.
func (b *session) memory() error {
	m := measure.NewMemory(b.dev)
	defer m.Close()
	copies, ops, err := b.memoryOps(m)
	if err != nil {
		return err
	}
	var all []*measure.Contender
	for _, op := range append(copies, ops...) {
		all = append(all, op.Contender)
	}
	if _, err := b.race(m, all...); err != nil {
		return err
	}
	var others []other
	for _, op := range copies {
		others = append(others, theirs(op.gigabytes(), op.Contender))
		b.report.add("memory", op.Label, "", "GB/s", rate(op.gigabytes(), op.Contender))
	}
	for _, op := range ops {
		b.report.add("memory", op.Label, "", "GB/s", rate(op.gigabytes(), op.Contender), others...)
	}
	return nil
}

// memorySize is the floats of a tensor of the memory group: 32 MiB, which caches do not hold.
const memorySize = 8 << 20

// A memoryOp is a contender, and how many tensors it reads and writes.
type memoryOp struct {
	*measure.Contender
	tensors float64
}

func (op memoryOp) gigabytes() float64 { return op.tensors * 4 * memorySize / 1e9 }

// memoryOps are the copies that kernels are compared with, and the kernels.
func (b *session) memoryOps(m *measure.Memory) (copies, ops []memoryOp, err error) {
	const B, T, H, D = 8, 1024, 16, 64
	const rows, C = B * T, H * D
	x, y, z, v := m.Tensor(rows, C), m.Tensor(rows, C), m.Tensor(rows, C), m.Tensor(rows, C)
	w, dw, rstd, one, step := m.Tensor(C), m.Tensor(C), m.Tensor(rows*H), m.Tensor(1), m.Tensor(kernels.StepBytes/4)
	headW, headDW, cos, sin := m.Tensor(D), m.Tensor(D), m.Tensor(T, D/2), m.Tensor(T, D/2)
	if err := m.Err(); err != nil {
		return nil, nil, err
	}
	// Replayed often, AdamW and EMA must not leave the range of fp32.
	calm := kernels.Step{LR: 1e-9, Bias1: 1, Bias2: 1, EMADecay: [2]float32{0.999}, LossScale: 1}
	if err := b.dev.Upload(step.Range, calm.Data()); err != nil {
		return nil, nil, err
	}
	heads := func(t kernels.Tensor) kernels.Tensor { return t.Reshape(B, T, H, D) }
	half := func(t kernels.Tensor) kernels.Tensor { return kernels.View(t.Range, rows, C/2) }
	rowRstd, headRstd := kernels.View(rstd.Range, rows), rstd
	add := func(name string, tensors float64, record func(p *engine.Program)) {
		ops = append(ops, memoryOp{&measure.Contender{Label: name, Record: record}, tensors})
	}
	add(aCopy, 2, func(p *engine.Program) { p.Copy(y.Range, x.Range) })
	copies, ops = ops, nil
	if b.dev.Info().CPU() {
		copies = append(copies, memoryOp{&measure.Contender{Label: memcpy, Run: copier(4 * memorySize)}, 2})
	}
	add("Add", 3, func(p *engine.Program) { kernels.Add(p, y, x, z) })
	add("RMSNorm forward", 2, func(p *engine.Program) { kernels.RMSNorm(p, y, rowRstd, x, w, 1e-6) })
	add("RMSNorm backward", 3, func(p *engine.Program) { kernels.RMSNormBackward(p, y, dw, z, x, w, rowRstd, false, false) })
	add("NormRoPE forward", 2, func(p *engine.Program) {
		kernels.NormRoPE(p, heads(y), headRstd, heads(x), headW, cos, sin, 1e-6, false)
	})
	add("NormRoPE backward", 4, func(p *engine.Program) {
		kernels.NormRoPEBackward(p, heads(y), headDW, heads(z), heads(v), heads(x), headW, headRstd, cos, sin, false, false, false)
	})
	add("SwiGLU forward", 1.5, func(p *engine.Program) { kernels.SwiGLU(p, half(y), x, kernels.SwiGLUOptions{}) })
	add("SwiGLU backward", 2.5, func(p *engine.Program) { kernels.SwiGLUBackward(p, y, half(z), x, kernels.SwiGLUOptions{}) })
	add("GradNorm", 1, func(p *engine.Program) { kernels.GradNorm(p, one, x) })
	add("AdamW", 7, func(p *engine.Program) {
		kernels.AdamW(p, y, x, z, v, one, step, kernels.AdamWOptions{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Clip: 1})
	})
	add("EMA", 3, func(p *engine.Program) { kernels.EMA(p, y, x, step, 0) })
	return copies, ops, nil
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
