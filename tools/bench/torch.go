// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

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

// A torchRun is one call of the peer.
type torchRun struct {
	name    string
	args    []string
	threads int // 0: as PyTorch likes
}

// runTorch times the peer at a preset in every run that counts here, and notes what each printed.
func (b *session) runTorch(preset string, batch int, precision string) (out []torchResult, err error) {
	args := []string{b.torch.script, "--model", preset, "--batch", fmt.Sprint(batch), "--dtype", precision, "--sample-steps",
		fmt.Sprint(b.solver)}
	runs := []torchRun{{"PyTorch", []string{"--device", "cuda"}, 0}, {"PyTorch compiled", []string{"--device", "cuda", "--compile"}, 0}}
	if b.dev.Info().CPU() {
		args = append(args, "--device", "cpu", "--steps", "10", "--warmup", "2")
		runs = []torchRun{{"PyTorch", nil, 1}, {"PyTorch", nil, runtime.NumCPU()}}
	}
	for _, r := range runs {
		cmd := exec.CommandContext(b, b.torch.python, append(slices.Clone(args), r.args...)...)
		if r.threads > 0 {
			cmd.Env = append(os.Environ(), fmt.Sprintf("OMP_NUM_THREADS=%d", r.threads))
		}
		line, err := lastOutput(cmd)
		if err != nil {
			return out, err
		}
		x := torchResult{name: r.name}
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
