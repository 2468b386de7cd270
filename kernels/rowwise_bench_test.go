// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
)

// replay times a program: build, then submit and wait, b.N times.
func replay(b *testing.B, record func(p *engine.Program)) {
	p := engine.NewProgram(kerneltest.Device(b), b.Name())
	defer p.Close()
	record(p)
	if err := p.Build(); err != nil {
		b.Fatal(err)
	}
	run := func() {
		s, err := p.Submit(nil, nil)
		if err == nil {
			_, err = s.Wait()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	run() // a CPU driver compiles at the first run
	for b.Loop() {
		run()
	}
}

// BenchmarkAttention reports the rate by the usual count: 2 products of T x T x D forward and 5 backward, whatever a shader
// computes again. JITVK_RUNGS=all times every rung.
func BenchmarkAttention(b *testing.B) {
	rungs := []string{""}
	if os.Getenv("JITVK_RUNGS") == "all" {
		rungs = kernels.AttentionRungs()
	}
	for _, rung := range rungs {
		for _, c := range []struct{ b, t, h, d int }{{16, 16, 3, 64}, {8, 64, 4, 32}, {1, 441, 12, 64}} {
			for _, forward := range []bool{true, false} {
				name, products := "fwd", 2.0
				if !forward {
					name, products = "bwd", 5
				}
				b.Run(fmt.Sprintf("%s/%s/B%dT%dH%dD%d", strings.TrimPrefix(rung, "attention/"), name, c.b, c.t, c.h, c.d), func(b *testing.B) {
					h, rnd, width := kerneltest.New(b), kerneltest.NewRand(1), c.h*c.d
					n, shape := c.b*c.t*width, []int{c.b, c.t, c.h, c.d}
					view := func(r engine.Range, i int) kernels.Tensor {
						return kernels.Tensor{Shape: shape, Range: r, Ld: 3 * width, Off: i * width}
					}
					qkv, dqkv := h.Input(rnd.Normal(3*n), c.b, c.t, 3*width).Range, h.Output(c.b, c.t, 3*width).Range
					o, do, lse := h.Input(rnd.Normal(n), shape...), h.Input(rnd.Normal(n), shape...), h.Input(rnd.Normal(c.b*c.h*c.t), c.b, c.h, c.t)
					kernels.WithAttention(rung, func() {
						replay(b, func(p *engine.Program) {
							if forward {
								kernels.Attention(p, o, lse, view(qkv, 0), view(qkv, 1), view(qkv, 2), kernels.AttentionOptions{})
							} else {
								kernels.AttentionBackward(p, view(dqkv, 0), view(dqkv, 1), view(dqkv, 2), do, o, lse, view(qkv, 0), view(qkv, 1), view(qkv, 2), kernels.AttentionOptions{})
							}
						})
					})
					flops := 2 * products * float64(c.b*c.h*c.t*c.t*c.d)
					b.ReportMetric(flops/1e9*float64(b.N)/b.Elapsed().Seconds(), "GFLOP/s")
				})
			}
		}
	}
}

// BenchmarkRowwise reports GB/s by the tensors' sizes, each read or written once, however often a shader touches it.
func BenchmarkRowwise(b *testing.B) {
	const B, T, H, D = 16, 64, 6, 64
	const n, c = B * T, H * D
	for name, op := range map[string]struct {
		tensors int // of n*c floats
		record  func(p *engine.Program, h *kerneltest.Run, x, y, z kernels.Tensor)
	}{
		"RMSNorm/fwd": {2, func(p *engine.Program, h *kerneltest.Run, x, y, z kernels.Tensor) {
			kernels.RMSNorm(p, y, h.Output(n), x, h.Output(c), 1e-6)
		}},
		"RMSNorm/bwd": {3, func(p *engine.Program, h *kerneltest.Run, x, y, z kernels.Tensor) {
			kernels.RMSNormBackward(p, z, h.Output(c), y, x, h.Output(c), h.Output(n), false, false)
		}},
		"RMSNorm/heads": {2, func(p *engine.Program, h *kerneltest.Run, x, y, z kernels.Tensor) {
			kernels.RMSNorm(p, y.Reshape(B, T, H, D), h.Output(n*H), x.Reshape(B, T, H, D), h.Output(D), 1e-6)
		}},
		"RMSNorm/heads bwd": {3, func(p *engine.Program, h *kerneltest.Run, x, y, z kernels.Tensor) {
			kernels.RMSNormBackward(p, z.Reshape(B, T, H, D), h.Output(D), y.Reshape(B, T, H, D), x.Reshape(B, T, H, D), h.Output(D), h.Output(n*H), false, false)
		}},
		"Derf/fwd": {2, func(p *engine.Program, h *kerneltest.Run, x, y, z kernels.Tensor) {
			kernels.Derf(p, y, x, h.Output(c), h.Output(c))
		}},
		"Derf/bwd": {3, func(p *engine.Program, h *kerneltest.Run, x, y, z kernels.Tensor) {
			kernels.DerfBackward(p, z, h.Output(c), h.Output(c), y, x, h.Output(c), h.Output(c), false, false)
		}},
		"RoPE": {2, func(p *engine.Program, h *kerneltest.Run, x, y, z kernels.Tensor) {
			kernels.RoPE(p, y.Reshape(B, T, H, D), x.Reshape(B, T, H, D), h.Output(T, D/2), h.Output(T, D/2), kernels.RoPEOptions{})
		}},
		"ColSum": {1, func(p *engine.Program, h *kerneltest.Run, x, y, z kernels.Tensor) {
			kernels.ColSum(p, h.Output(c), x, false)
		}},
	} {
		b.Run(name, func(b *testing.B) {
			h, rnd := kerneltest.New(b), kerneltest.NewRand(1)
			x, y, z := h.Input(rnd.Normal(n*c), n, c), h.Input(rnd.Normal(n*c), n, c), h.Output(n, c)
			replay(b, func(p *engine.Program) { op.record(p, h, x, y, z) })
			b.ReportMetric(float64(op.tensors*n*c*4)/1e9*float64(b.N)/b.Elapsed().Seconds(), "GB/s")
		})
	}
}
