// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
)

// replay times a program: build, then submit and wait, b.N times.
func replay(b *testing.B, record func(p *engine.Program)) {
	run := replayer(b, record)
	for b.Loop() {
		run()
	}
}

// replayer builds a program and returns what submits it and waits; it has run once, since a CPU driver compiles then.
func replayer(b *testing.B, record func(p *engine.Program)) func() {
	p := engine.NewProgram(kerneltest.Device(b), b.Name())
	b.Cleanup(p.Close)
	record(p)
	if err := p.Build(); err != nil {
		b.Fatal(err)
	}
	run := func() {
		if err := p.Run(); err != nil {
			b.Fatal(err)
		}
	}
	run()
	return run
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
				b.Run(fmt.Sprintf("%s/%s/B%dT%dH%dD%d", strings.TrimPrefix(rung, "attention/"), name, c.b, c.t, c.h, c.d),
					func(b *testing.B) {
						h, rnd, width := kerneltest.New(b), kerneltest.NewRand(1), c.h*c.d
						n, shape := c.b*c.t*width, []int{c.b, c.t, c.h, c.d}
						view := func(r engine.Range, i int) kernels.Tensor {
							return kernels.Tensor{Shape: shape, Range: r, Ld: 3 * width, Off: i * width}
						}
						qkv, dqkv := h.Input(rnd.Normal(3*n), c.b, c.t, 3*width).Range, h.Output(c.b, c.t, 3*width).Range
						o, do, lse := h.Input(rnd.Normal(n), shape...), h.Input(rnd.Normal(n), shape...),
							h.Input(rnd.Normal(c.b*c.h*c.t), c.b, c.h, c.t)
						opt := kernels.AttentionOptions{Rung: rung}
						replay(b, func(p *engine.Program) {
							if forward {
								kernels.Attention(p, o, lse, view(qkv, 0), view(qkv, 1), view(qkv, 2), opt)
							} else {
								kernels.AttentionBackward(p, view(dqkv, 0), view(dqkv, 1), view(dqkv, 2), do, o, lse, view(qkv, 0),
									view(qkv, 1), view(qkv, 2), opt)
							}
						})
						flops := 2 * products * float64(c.b*c.h*c.t*c.t*c.d)
						b.ReportMetric(flops/1e9*float64(b.N)/b.Elapsed().Seconds(), "GFLOP/s")
					})
			}
		}
	}
}

// BenchmarkNormRoPE runs a norm and RoPE, and then the two in one pass, by turns, for q and k as views of one projection; it
// reports how many times faster the one pass is, by medians.
func BenchmarkNormRoPE(b *testing.B) {
	for _, c := range []struct {
		preset     string
		b, t, h, d int
	}{{"quick", 32, 25, 2, 64}, {"tiny", 16, 64, 4, 32}, {"faces64", 16, 64, 6, 64}, {"blog256", 4, 441, 12, 64}} {
		h, rnd, width := kerneltest.New(b), kerneltest.NewRand(1), c.h*c.d
		n, shape := c.b*c.t*width, []int{c.b, c.t, c.h, c.d}
		qkv, dqkv, table := h.Input(rnd.Normal(3*n), c.b, c.t, 3*width), h.Output(c.b, c.t, 3*width),
			h.Input(slices.Repeat([]float32{math.Sqrt2 / 2}, c.t*c.d/2), c.t, c.d/2)
		y, dy, w, a := h.Input(rnd.Normal(n), shape...), h.Input(rnd.Normal(n), shape...), h.Input(rnd.Normal(c.d), c.d),
			h.Input(rnd.Normal(width), width)
		dw, da, ds, rstd := h.Output(c.d), h.Output(width), h.Output(width), h.Input(rnd.Normal(n/c.d), n/c.d)
		view := func(x kernels.Tensor, i int) kernels.Tensor {
			return kernels.Tensor{Shape: shape, Range: x.Range, Ld: 3 * width, Off: i * width}
		}
		back := kernels.RoPEOptions{Inverse: true}
		for name, ways := range map[string][2]func(p *engine.Program, x, dx kernels.Tensor){
			"rms/fwd": {func(p *engine.Program, x, dx kernels.Tensor) {
				kernels.RMSNorm(p, y, rstd, x, w, 1e-6)
				kernels.RoPE(p, y, y, table, table, kernels.RoPEOptions{})
			}, func(p *engine.Program, x, dx kernels.Tensor) {
				kernels.NormRoPE(p, y, rstd, x, w, table, table, 1e-6, false)
			}},
			"rms/bwd": {func(p *engine.Program, x, dx kernels.Tensor) {
				kernels.RoPE(p, dy, dy, table, table, back)
				kernels.RMSNormBackward(p, dx, dw, dy, x, w, rstd, false, false)
			}, func(p *engine.Program, x, dx kernels.Tensor) {
				kernels.NormRoPEBackward(p, dx, dw, dy, y, x, w, rstd, table, table, false, false, false)
			}},
			"derf/fwd": {func(p *engine.Program, x, dx kernels.Tensor) {
				kernels.Derf(p, y, x, a, a)
				kernels.RoPE(p, y, y, table, table, kernels.RoPEOptions{})
			}, func(p *engine.Program, x, dx kernels.Tensor) { kernels.DerfRoPE(p, y, x, a, a, table, table, false) }},
			"derf/bwd": {func(p *engine.Program, x, dx kernels.Tensor) {
				kernels.RoPE(p, dy, dy, table, table, back)
				kernels.DerfBackward(p, dx, da, ds, dy, x, a, a, false, false)
			}, func(p *engine.Program, x, dx kernels.Tensor) {
				kernels.DerfRoPEBackward(p, dx, da, ds, dy, x, a, a, table, table, false, false, false)
			}},
		} {
			b.Run(name+"/"+c.preset, func(b *testing.B) {
				var took [2][]float64
				var runs [2]func()
				for i, record := range ways {
					runs[i] = replayer(b, func(p *engine.Program) {
						record(p, view(qkv, 0), view(dqkv, 0))
						record(p, view(qkv, 1), view(dqkv, 1))
					})
				}
				for b.Loop() {
					for i, run := range runs {
						start := time.Now()
						run()
						took[i] = append(took[i], time.Since(start).Seconds())
					}
				}
				median := func(x []float64) float64 { slices.Sort(x); return x[len(x)/2] }
				b.ReportMetric(median(took[0])/median(took[1]), "ratio")
			})
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
			kernels.RMSNormBackward(p, z.Reshape(B, T, H, D), h.Output(D), y.Reshape(B, T, H, D), x.Reshape(B, T, H, D), h.Output(D),
				h.Output(n*H), false, false)
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
		"Add": {3, func(p *engine.Program, h *kerneltest.Run, x, y, z kernels.Tensor) { kernels.Add(p, z, x, y) }},
		"Gate/fwd": {3, func(p *engine.Program, h *kerneltest.Run, x, y, z kernels.Tensor) {
			kernels.Gate(p, z.Reshape(B, T, c), x.Reshape(B, T, c), y.Reshape(B, T, c), h.Output(B, c))
		}},
		"Gate/bwd": {3, func(p *engine.Program, h *kerneltest.Run, x, y, z kernels.Tensor) {
			kernels.GateBackward(p, z.Reshape(B, T, c), h.Output(B, c), y.Reshape(B, T, c), x.Reshape(B, T, c), h.Output(B, c), false,
				false)
		}},
		"Dropout": {2, func(p *engine.Program, h *kerneltest.Run, x, y, z kernels.Tensor) {
			kernels.Dropout(p, z.Reshape(B, T, c), x.Reshape(B, T, c), h.Step(testStep), 0.2, 0, false)
		}},
		"DropTokens": {2, func(p *engine.Program, h *kerneltest.Run, x, y, z kernels.Tensor) {
			kernels.DropTokens(p, kernels.View(z.Range, B, T-8, c), x.Reshape(B, T, c))
		}},
		"PrependTokens": {2, func(p *engine.Program, h *kerneltest.Run, x, y, z kernels.Tensor) {
			kernels.PrependTokens(p, z.Reshape(B, T, c), kernels.View(x.Range, B, T-8, c), h.Output(B, c), h.Output(8, c))
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
