// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/measure"
)

//go:embed ops.py
var opsScript string

// A library is a Python process that does single ops with the library that everybody uses. On a CPU driver's host that is numpy, whose
// sgemm is OpenBLAS's. On a GPU it is PyTorch: its matmul, which is cuBLAS's or hipBLASLt's, and its scaled_dot_product_attention.
type library struct {
	name    string // version and library
	columns [2]string
	cmd     *exec.Cmd
	to      io.WriteCloser
	from    *bufio.Reader
}

// startLibrary returns nil without an interpreter.
func startLibrary(python string, info engine.Info) (*library, error) {
	if python == "" {
		return nil, nil
	}
	where, needs := "cuda", "PyTorch with CUDA or ROCm"
	l := &library{columns: [2]string{"PyTorch's matmul", "PyTorch's attention"}}
	if info.CPU() {
		where, needs = "cpu", "numpy"
		l.columns = [2]string{sgemm, ""} // what PyTorch does here is no measure of a core
	}
	l.cmd = exec.Command(python, "-c", opsScript, where)
	var problem bytes.Buffer
	l.cmd.Stderr = &problem
	to, err := l.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	from, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	l.to, l.from = to, bufio.NewReader(from)
	if l.name, err = l.from.ReadString('\n'); err != nil {
		l.Close()
		return nil, fmt.Errorf("%s: %s; name an interpreter that has %s with -python", python,
			cmp.Or(lastLine(problem.String()), err.Error()), needs)
	}
	l.name = strings.TrimSpace(l.name)
	return l, nil
}

// contender does what a line of ops.py's protocol says, without the number of times.
func (l *library) contender(label string, lines ...string) *measure.Contender {
	return &measure.Contender{Label: label, Run: func(n int) error {
		for _, line := range lines {
			if _, err := fmt.Fprintln(l.to, line, n); err != nil {
				return fmt.Errorf("bench: %s: %w", label, err)
			}
			if _, err := l.from.ReadString('\n'); err != nil {
				return fmt.Errorf("bench: %s: the Python process has ended: %w", label, err)
			}
		}
		return nil
	}}
}

// multiply does each product.
func (l *library) multiply(products []product, precision kernels.Precision) *measure.Contender {
	bit := func(v bool) int { return map[bool]int{true: 1}[v] }
	var lines []string
	for _, x := range products {
		lines = append(lines, fmt.Sprintf("matmul %v %d %d %d %d %d", precision, x.m, x.n, x.k, bit(x.transA), bit(x.transB)))
	}
	return l.contender(l.columns[0], lines...)
}

// attend does a block's attention; backward is the backward pass alone.
func (l *library) attend(pass string, precision kernels.Precision, B, T, H, D int) *measure.Contender {
	return l.contender(l.columns[1], fmt.Sprintf("%s %v %d %d %d %d", pass, precision, B, T, H, D))
}

// Close ends the process, if there is one.
func (l *library) Close() {
	if l == nil {
		return
	}
	l.to.Close()
	l.cmd.Wait()
}
