// SPDX-License-Identifier: MIT

package main

import (
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"jitvk/kernels"
	"jitvk/kernels/tune"
	"jitvk/model/cli"
	"jitvk/model/run"
)

// options are the command line.
type options struct {
	presets, only         []string
	device, python, peer  string
	json, write           string
	batch, rounds, solver int
	tune                  tune.Mode
	tuneBudget            tune.Budget
}

func parse(args []string) (options, error) {
	fs := flag.NewFlagSet("tools/bench", flag.ContinueOnError)
	o := options{tune: tune.Auto}
	presets := fs.String("presets", "quick,tiny,faces64", "whose shapes and steps to time, `names` separated by commas")
	all := fs.Bool("all", false, "blog256 too")
	only := fs.String("only", strings.Join(groupNames(), ","), "what to time, `groups` separated by commas")
	fs.StringVar(&o.device, "device", "", "index of the device, or part of its name")
	fs.StringVar(&o.python, "python", "python3", "interpreter with numpy, for sgemm on CPU drivers, and PyTorch; \"\": neither")
	fs.StringVar(&o.peer, "peer", filepath.FromSlash("../shared/peer/torch_jit.py"), "`script` that trains the same models in PyTorch")
	fs.StringVar(&o.json, "json", "", "put the measurements into this `file`")
	fs.StringVar(&o.write, "write", "", "write docs/benchmarks/`NAME`.json and the page NAME.md")
	fs.Var(&o.tune, "tune", tune.Usage)
	fs.Var(&o.tuneBudget, "tune-budget", "`seconds` that measuring for -tune may take")
	fs.IntVar(&o.batch, "batch", 0, "pictures a step (default by preset; on GPUs that of the preset's recipe)")
	fs.IntVar(&o.rounds, "rounds", 5, "how often each has its turn")
	fs.IntVar(&o.solver, "sample-steps", 20, "Euler steps of sampling")
	if err := cli.Parse(fs, args); err != nil {
		return o, err
	}
	o.presets, o.only = strings.Split(*presets, ","), strings.Split(*only, ",")
	if *all && !slices.Contains(o.presets, "blog256") {
		o.presets = append(o.presets, "blog256")
	}
	return o, o.check()
}

// check returns an error for options that are none.
func (o options) check() error {
	for _, name := range o.presets {
		if _, err := run.Preset(name); err != nil {
			return fmt.Errorf("bench: -presets: %w", err)
		}
	}
	for _, g := range o.only {
		if !slices.Contains(groupNames(), g) {
			return fmt.Errorf("bench: -only %s: there are %s", g, strings.Join(groupNames(), ", "))
		}
	}
	switch {
	case o.batch < 0 || o.batch > 65535:
		return fmt.Errorf("bench: -batch %d: between 1 and 65535 pictures", o.batch)
	case o.rounds < 1:
		return fmt.Errorf("bench: -rounds %d: at least 1", o.rounds)
	case o.solver < 1:
		return fmt.Errorf("bench: -sample-steps %d: at least 1", o.solver)
	case o.write != "" && !regexp.MustCompile(`^[\w.-]*\w$`).MatchString(o.write):
		return fmt.Errorf("bench: -write %s: a name of letters, digits, dots and dashes, such as lavapipe-25.0.7", o.write)
	}
	return kernels.CheckRung()
}
