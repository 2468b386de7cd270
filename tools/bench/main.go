// SPDX-License-Identifier: MIT

// Command bench measures what users wait for, beside what else could do the work, all in one run:
//
//	go run ./tools/bench                                  the presets quick, tiny and faces64
//	go run ./tools/bench -all                             blog256 too, a picture at a time on a CPU driver
//	go run ./tools/bench -only matmul,step -presets tiny  some of it
//	go run ./tools/bench -json FILE                       keep the numbers
//	go run ./tools/bench -write NAME                      docs/benchmarks/NAME.json, and NAME.md made from it
//
// matmul is the products of a block's four layers in the three transpose cases of training, and 512 x 512 x 512; attention is one
// block's; memory is kernels that do little arithmetic, on tensors larger than caches; step is a training step; sample is
// drawing pictures. Each op takes the kernel that it would take in training.
//
// The others are, where this machine has them: the measured peaks of the device (package measure); on a CPU driver a memcpy
// by all cores, and the sgemm that numpy calls (OpenBLAS, on all cores); on a GPU PyTorch's matmul (cuBLAS, hipBLASLt) and
// scaled_dot_product_attention; all of which take turns with ours; and the same model in PyTorch (-peer), in a process of its
// own, right after ours: eager and compiled on a GPU, with the better of one thread and one a core on a CPU.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"jitvk/engine"
	"jitvk/engine/files"
	"jitvk/kernels"
	"jitvk/kernels/measure"
	"jitvk/kernels/tune"
	"jitvk/model"
	"jitvk/model/cli"
	"jitvk/model/run"
)

func main() { os.Exit(cli.Main("bench", command)) }

// options are the command line.
type options struct {
	presets, only         []string
	device, python, peer  string
	json, write           string
	batch, rounds, solver int
	tune                  tune.Mode
}

var groups = []string{"matmul", "attention", "memory", "step", "sample"}

// sections are the groups, and what comes of another.
var sections = append(slices.Clone(groups), footprint)

const footprint = "footprint" // memory on the device that training takes, of which less is better

func parse(args []string) (options, error) {
	fs := flag.NewFlagSet("tools/bench", flag.ContinueOnError)
	var o options
	presets := fs.String("presets", "quick,tiny,faces64", "whose shapes and steps to time, `names` separated by commas")
	all := fs.Bool("all", false, "blog256 too")
	only := fs.String("only", strings.Join(groups, ","), "what to time, `groups` separated by commas")
	fs.StringVar(&o.device, "device", "", "index of the device, or part of its name")
	fs.StringVar(&o.python, "python", "python3", "interpreter with numpy, for sgemm on CPU drivers, and PyTorch; \"\": neither")
	fs.StringVar(&o.peer, "peer", filepath.FromSlash("../shared/peer/torch_jit.py"), "`script` that trains the same models in PyTorch")
	fs.StringVar(&o.json, "json", "", "put the measurements into this `file`")
	fs.StringVar(&o.write, "write", "", "write docs/benchmarks/`NAME`.json and the page NAME.md")
	o.tune = tune.Auto
	fs.Var(&o.tune, "tune", tune.Usage)
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
	for _, name := range o.presets {
		if _, err := run.Preset(name); err != nil {
			return o, fmt.Errorf("bench: -presets: %w", err)
		}
	}
	for _, g := range o.only {
		if !slices.Contains(groups, g) {
			return o, fmt.Errorf("bench: -only %s: there are %s", g, strings.Join(groups, ", "))
		}
	}
	switch {
	case o.batch < 0 || o.batch > 65535:
		return o, fmt.Errorf("bench: -batch %d: between 1 and 65535 pictures", o.batch)
	case o.rounds < 1:
		return o, fmt.Errorf("bench: -rounds %d: at least 1", o.rounds)
	case o.solver < 1:
		return o, fmt.Errorf("bench: -sample-steps %d: at least 1", o.solver)
	case o.write != "" && !regexp.MustCompile(`^[\w.-]*\w$`).MatchString(o.write):
		return o, fmt.Errorf("bench: -write %s: a name of letters, digits, dots and dashes, such as lavapipe-25.0.7", o.write)
	}
	return o, kernels.CheckTier()
}

func command(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.write != "" {
		if _, err := os.Stat(folder); err != nil {
			return fmt.Errorf("bench: -write: %w; run it in the repository's root", err)
		}
	}
	if o.json != "" { // can it be written, before minutes of measuring?
		if err := os.MkdirAll(filepath.Dir(o.json), 0o777); err != nil {
			return fmt.Errorf("bench: -json: %w; name a file in a folder that can be written", err)
		}
		f, err := files.Create(o.json)
		if err != nil {
			return err
		}
		f.Abort()
	}
	d, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer d.Close()
	r, err := bench(ctx, d, o)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprint(out, r.page()); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if o.json != "" {
		if err := files.WriteFile(o.json, data); err != nil {
			return err
		}
	}
	if o.write == "" {
		return nil
	}
	base := filepath.Join(folder, o.write)
	return errors.Join(files.WriteFile(base+".json", data), files.WriteFile(base+".md", []byte("# "+o.write+"\n\n"+r.page())))
}

var folder = filepath.Join("docs", "benchmarks")

// bench measures what the options ask for.
func bench(ctx context.Context, d *engine.Device, o options) (*report, error) {
	r := &report{Device: d.Info().Name, Driver: d.Info().Driver, Commit: measure.Commit(), Date: time.Now().Format(time.DateOnly),
		Go: runtime.Version(), Cores: runtime.NumCPU(), Load: measure.Load()}
	b := &session{Context: ctx, options: o, dev: d, report: r}
	var err error
	if b.library, err = startLibrary(o.python, d.Info()); err != nil {
		r.note("no library beside our ops: %v", err)
	} else if b.library != nil {
		defer b.library.Close()
		r.note("%s: %s", b.library.columns[0], b.library.name)
	}
	if b.torch, err = findTorch(o.python, o.peer); err != nil {
		r.note("no PyTorch beside ours: %v", err)
	}
	try := func(name string, measure func() error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s …\n", name)
		err := measure()
		if errors.Is(err, engine.ErrOutOfMemory) {
			r.note("%s: %v", name, err)
			return nil
		}
		return err
	}
	once := map[string]func() error{"matmul": b.cube, "memory": b.memory}
	each := map[string]func(model.Config) error{"matmul": b.matmul, "attention": b.attention, "step": b.step, "sample": b.sample}
	for _, g := range o.only {
		if once[g] != nil {
			if err := try(g, once[g]); err != nil {
				return nil, err
			}
		}
		if each[g] == nil {
			continue
		}
		for _, name := range o.presets {
			c, err := run.Preset(name)
			if err != nil {
				return nil, err
			}
			if err := try(g+", "+name, func() error { return each[g](c.Model) }); err != nil {
				return nil, err
			}
		}
	}
	r.Chosen = d.Chosen()
	return r, nil
}

// A report is what one run measured.
type report struct {
	Device  string        `json:"device"`
	Driver  string        `json:"driver"`
	Commit  string        `json:"commit"`
	Date    string        `json:"date"`
	Go      string        `json:"go"`
	Cores   int           `json:"cores"`
	Load    string        `json:"load"` // before the run: processes that wanted a core in the last minute
	Peaks   measure.Peaks `json:"peaks"`
	Results []result      `json:"results"`
	Notes   []string      `json:"notes,omitempty"`

	Chosen engine.Choices `json:"chosen,omitempty"` // by which kernel work was done, where there was a choice
}

// A result is one rate, and its ratio to those of others in the same run.
type result struct {
	Group    string  `json:"group"`
	Name     string  `json:"name"`
	Operands string  `json:"operands,omitempty"`
	Rate     float64 `json:"rate"`
	Unit     string  `json:"unit"`
	Ratios   []ratio `json:"ratios"`
}

// A ratio is ours to another's: above 1 ours is the faster.
type ratio struct {
	To    string  `json:"to"`
	Value float64 `json:"value"`
}

func (r *report) note(format string, args ...any) {
	r.Notes = append(r.Notes, strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " "))
}

// add notes a result; what was not measured (0) has no ratio.
func (r *report) add(group, name, operands, unit string, rate float64, others ...other) {
	x := result{Group: group, Name: name, Operands: operands, Rate: rate, Unit: unit}
	for _, v := range others {
		if v.rate > 0 {
			x.Ratios = append(x.Ratios, ratio{v.name, rate / v.rate})
		}
	}
	r.Results = append(r.Results, x)
}

// An other is whose rate ours is compared with.
type other struct {
	name string
	rate float64
}

// page is the report as Markdown: a table for each group, ratios first.
func (r *report) page() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s, commit %s, %s, %d cores", r.Device, r.Driver, r.Date, r.Commit, r.Go, r.Cores)
	if r.Load != "" {
		fmt.Fprintf(&b, ", load %s before the run", r.Load)
	}
	fmt.Fprintf(&b, ". Measured peaks: %v.\n", r.Peaks)
	for _, g := range sections {
		var columns []string
		var rows []result
		for _, x := range r.Results {
			if x.Group != g {
				continue
			}
			rows = append(rows, x)
			for _, v := range x.Ratios {
				if !slices.Contains(columns, v.To) {
					columns = append(columns, v.To)
				}
			}
		}
		if rows == nil {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n| |", g)
		for _, c := range columns {
			fmt.Fprintf(&b, " times %s |", c)
		}
		fmt.Fprintf(&b, " rate |\n| --- |%s ---: |\n", strings.Repeat(" ---: |", len(columns)))
		for _, x := range rows {
			fmt.Fprintf(&b, "| %s |", strings.TrimSpace(x.Name+" "+x.Operands))
			for _, c := range columns {
				cell := ""
				if i := slices.IndexFunc(x.Ratios, func(v ratio) bool { return v.To == c }); i >= 0 {
					cell = fmt.Sprintf(" %.3g", x.Ratios[i].Value)
				}
				fmt.Fprintf(&b, "%s |", cell)
			}
			fmt.Fprintf(&b, " %.3g %s |\n", x.Rate, x.Unit)
		}
	}
	if len(r.Chosen) > 0 {
		b.WriteString("\n## kernels chosen\n\n| work | by |\n| --- | --- |\n")
		for _, class := range slices.Sorted(maps.Keys(r.Chosen)) {
			fmt.Fprintf(&b, "| %s | %s |\n", class, r.Chosen[class])
		}
	}
	if len(r.Notes) > 0 {
		b.WriteString("\n")
		for _, n := range r.Notes {
			fmt.Fprintf(&b, "- %s\n", n)
		}
	}
	return b.String()
}
