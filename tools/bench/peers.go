// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/measure"
)

//go:embed ops.py
var opsScript string

// A library is a Python process that does single ops by those whom everybody calls: sgemm by numpy on a CPU driver's host; on a
// GPU PyTorch's matmul, which is cuBLAS or hipBLASLt, and its scaled_dot_product_attention.
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
		return nil, fmt.Errorf("%s: %s; name an interpreter that has %s with -python", python, cmp.Or(lastLine(problem.String()), err.Error()), needs)
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

// Close ends the process.
func (l *library) Close() {
	l.to.Close()
	l.cmd.Wait()
}

// torch runs the same models in PyTorch.
type torch struct {
	python, script string
	results        map[string][]torchResult // by the arguments of the run
}

// A torchResult is what the peer measured, in images a second.
type torchResult struct {
	Train  float64 `json:"images_per_s"`
	Sample float64 `json:"sample_images_per_s"`
	Peak   float64 `json:"peak_mib"` // memory, on GPUs
	name   string
}

// torchModels are the presets that the peer has, too.
var torchModels = []string{"tiny", "faces64", "blog256", "jit-b16"}

// findTorch returns nil without an interpreter to look in.
func findTorch(python, script string) (*torch, error) {
	if python == "" {
		return nil, nil
	}
	if _, err := os.Stat(script); err != nil {
		return nil, fmt.Errorf("%w; name the peer with -peer", err)
	}
	if _, err := lastOutput(exec.Command(python, "-c", "import torch")); err != nil {
		return nil, fmt.Errorf("%w; name an interpreter that has it with -python", err)
	}
	return &torch{python, script, map[string][]torchResult{}}, nil
}

// peers returns the peer's rates for a preset: on a CPU the better of one thread and one a core, else eager and compiled.
// What fails is noted.
func (b *session) peers(preset string, batch int, precision string, rate func(torchResult) float64) (out []other) {
	if b.torch == nil || !slices.Contains(torchModels, preset) {
		return nil
	}
	key := fmt.Sprint(preset, " ", batch, " ", precision)
	results, known := b.torch.results[key]
	if !known {
		var err error
		if results, err = b.runTorch(preset, batch, precision); err != nil {
			b.report.note("PyTorch, %s: %v", key, err)
		}
		b.torch.results[key] = results
	}
	for _, x := range results {
		if i := slices.IndexFunc(out, func(o other) bool { return o.name == x.name }); i >= 0 {
			out[i].rate = max(out[i].rate, rate(x))
		} else {
			out = append(out, other{x.name, rate(x)})
		}
	}
	return out
}

func (b *session) runTorch(preset string, batch int, precision string) (out []torchResult, err error) {
	args := []string{b.torch.script, "--model", preset, "--batch", fmt.Sprint(batch), "--dtype", precision, "--sample-steps", fmt.Sprint(b.solver)}
	type way struct {
		name    string
		args    []string
		threads int
	}
	ways := []way{{"PyTorch", []string{"--device", "cuda"}, 0}, {"PyTorch compiled", []string{"--device", "cuda", "--compile"}, 0}}
	if b.dev.Info().CPU() {
		args = append(args, "--device", "cpu", "--steps", "10", "--warmup", "2")
		ways = []way{{"PyTorch", nil, 1}, {"PyTorch", nil, runtime.NumCPU()}}
	}
	for _, w := range ways {
		cmd := exec.CommandContext(b, b.torch.python, append(slices.Clone(args), w.args...)...)
		if w.threads > 0 {
			cmd.Env = append(os.Environ(), fmt.Sprintf("OMP_NUM_THREADS=%d", w.threads))
		}
		line, err := lastOutput(cmd)
		if err != nil {
			return out, err
		}
		x := torchResult{name: w.name}
		if err := json.Unmarshal([]byte(line), &x); err != nil || !(x.Train > 0) {
			return out, fmt.Errorf("%s printed %q, a line of JSON with images_per_s wanted", b.torch.script, line)
		}
		b.report.note("PyTorch, %s", line)
		out = append(out, x)
	}
	return out, nil
}

// lastOutput returns the last line that a command prints, or its error with the last line of what it complained of.
func lastOutput(cmd *exec.Cmd) (string, error) {
	var problem bytes.Buffer
	cmd.Stderr = &problem
	data, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", cmd.Path, err, lastLine(problem.String()))
	}
	return lastLine(string(data)), nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
