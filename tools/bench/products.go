// SPDX-License-Identifier: MIT

package main

import (
	"fmt"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/measure"
	"jitvk/model"
)

// A product is c = op(a) op(b) of (M,K) and (K,N).
type product struct {
	m, n, k        int
	transA, transB bool
	gradientA      bool // a is the gradient of an output, which lies in fp32 where weights and what layers read lie in halves
}

func (x product) flops() float64 { return 2 * float64(x.m) * float64(x.n) * float64(x.k) }

// record makes the products' tensors, and returns what adds the products to a program.
func record(m *measure.Memory, precision kernels.Precision, products []product) func(p *engine.Program) {
	type operands struct{ c, a, b kernels.Tensor }
	var tensors []operands
	for _, x := range products {
		inA := precision
		if x.gradientA {
			inA = kernels.FP32
		}
		t := operands{m.Tensor(x.m, x.n), m.TensorOfPrecision(inA, x.m, x.k), m.TensorOfPrecision(precision, x.k, x.n)}
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
			t, o := tensors[i], kernels.MatMulOptions{TransA: x.transA, TransB: x.transB, Precision: precision}
			kernels.MatMul(p, t.c, t.a, t.b, o)
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

// products times lists of products, each as a whole and in every precision.
func (b *session) products(names []string, cases [][]product) error {
	m := measure.NewMemory(b.dev)
	defer m.Close()
	type entry struct {
		name         string
		precision    kernels.Precision
		gflop        float64
		ours, theirs *measure.Contender
	}
	var entries []entry
	var all []*measure.Contender
	for i, products := range cases {
		for _, precision := range b.precisions() {
			e := entry{names[i], precision, gflops(products), &measure.Contender{Label: names[i], Record: record(m, precision, products)},
				nil}
			all = append(all, e.ours)
			if b.library != nil {
				e.theirs = b.library.multiply(products, precision)
				all = append(all, e.theirs)
			}
			entries = append(entries, e)
		}
	}
	peaks, err := b.race(m, all...)
	if err != nil {
		return err
	}
	for _, e := range entries {
		b.report.add("matmul", e.name, e.precision.String(), "GFLOP/s", rate(e.gflop, e.ours),
			other{thePeak, peaks.Arithmetic(e.precision)}, theirs(e.gflop, e.theirs))
	}
	return nil
}

// gflops is the work of all products.
func gflops(products []product) (sum float64) {
	for _, x := range products {
		sum += x.flops() / 1e9
	}
	return sum
}

// rate is work by a contender's best time.
func rate(work float64, c *measure.Contender) float64 { return work / c.Best().Seconds() }

// theirs is the rate of another at the same work: none where there is no such other.
func theirs(work float64, c *measure.Contender) other {
	if c == nil {
		return other{}
	}
	return other{c.Label, rate(work, c)}
}
