// SPDX-License-Identifier: MIT

// Command ladder times every rung of the ladders of kernels on this machine's device, all in one run, and prints how far each
// step up carries and how much of what the device can do it reaches.
//
//	go run ./tools/ladder                          both ladders, at the shapes of every preset
//	go run ./tools/ladder -presets tiny matmul     one ladder, some shapes
//	go run ./tools/ladder -json FILE               keep what was measured; other devices' measurements in FILE stay
//	go run ./tools/ladder -write                   put the tables into docs/kernels/matmul.md and attention.md
//
// matmul is the products of one block's four layers (qkv, proj, w12, w3), in the three transpose cases of training; attention
// is one block's, forward and backward. What the device can do is measured in the same run: kernels.Peak for arithmetic, a
// copy and an addition of tensors larger than its caches for memory.
//
// The rungs and the peaks take turns, round after round, and each keeps its best time, so that what else the machine does
// slows all of them alike or none. A page holds one block of tables for each device and driver; -write replaces the block of
// this one, or adds it.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"jitvk/engine"
	"jitvk/engine/files"
	"jitvk/kernels"
	"jitvk/kernels/measure"
	"jitvk/model"
	"jitvk/model/run"
)

func main() {
	presets := flag.String("presets", "quick,tiny,faces64,blog256", "whose shapes to time, `names` separated by commas")
	device := flag.String("device", "", "index of the device, or part of its name")
	rounds := flag.Int("rounds", 5, "how often each rung has its turn")
	file := flag.String("json", "", "put the measurements into this `file`")
	write := flag.Bool("write", false, "put the tables into docs/kernels/OP.md")
	flag.Parse()
	if err := command(flag.Args(), strings.Split(*presets, ","), *device, *rounds, *file, *write); err != nil {
		fmt.Fprintln(os.Stderr, "ladder:", err)
		os.Exit(1)
	}
}

// A report is what one run measured of one ladder.
type report struct {
	Op     string        `json:"op"`
	Device string        `json:"device"`
	Driver string        `json:"driver"`
	Commit string        `json:"commit"`
	Date   string        `json:"date"`
	Load   string        `json:"load"` // before the run: processes that wanted a core in the last minute; "" where the system does not say
	Peaks  measure.Peaks `json:"peaks"`
	Shapes []shape       `json:"shapes"`
}

type shape struct {
	Preset string   `json:"preset"`
	Text   string   `json:"text"`
	Parts  []string `json:"parts"`
	Rungs  []rung   `json:"rungs"`
}

type rung struct {
	Name     string    `json:"rung"`
	Operands string    `json:"operands"`
	Parts    []float64 `json:"parts"`  // GFLOP/s of each part
	GFLOPs   float64   `json:"gflops"` // of all parts, one after the other
	Share    float64   `json:"share"`  // of the measured peak for such operands
}

func command(ops, presets []string, device string, rounds int, file string, write bool) error {
	if len(ops) == 0 {
		ops = []string{"matmul", "attention"}
	}
	for _, op := range ops {
		if ladders[op] == nil {
			return fmt.Errorf("%s: there are the ladders matmul and attention", op)
		}
	}
	var configs []model.Config
	for _, name := range presets {
		c, err := run.Preset(name)
		if err != nil {
			return err
		}
		configs = append(configs, c.Model)
	}
	if err := kernels.CheckTier(); err != nil {
		return err
	}
	d, err := engine.Open(engine.Options{Select: device})
	if err != nil {
		return err
	}
	defer d.Close()
	load := measure.Load()
	if load != "" {
		load = fmt.Sprintf("load %s on %d cores", load, runtime.NumCPU())
	}
	commit := measure.Commit()
	for _, op := range ops {
		r := report{Op: op, Device: d.Info().Name, Driver: d.Info().Driver, Commit: commit,
			Date: time.Now().Format(time.DateOnly), Load: load}
		for _, c := range configs {
			fmt.Fprintf(os.Stderr, "%s, %s …\n", op, c.Preset)
			if err := r.measure(d, c, rounds); err != nil {
				return err
			}
		}
		r.shares()
		fmt.Println(r.table())
		if file != "" {
			if err := keep(file, r); err != nil {
				return err
			}
		}
		if write {
			if err := document(path.Join("docs", "kernels", op+".md"), r); err != nil {
				return err
			}
		}
	}
	return nil
}

// shares relates every rung to the measured peak for its operands.
func (r *report) shares() {
	for _, s := range r.Shapes {
		for i, x := range s.Rungs {
			precision, err := kernels.ParsePrecision(x.Operands, engine.Info{})
			if err != nil {
				panic(err) // cannot be: it is a Precision's name
			}
			s.Rungs[i].Share = x.GFLOPs / r.Peaks.Arithmetic(precision)
		}
	}
}

// table is the report as Markdown.
func (r report) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s, commit %s", r.Device, r.Driver, r.Date, r.Commit)
	if r.Load != "" {
		fmt.Fprintf(&b, ", %s before the run", r.Load)
	}
	fmt.Fprintf(&b, ". Measured peaks: %v.\n", r.Peaks)
	for _, s := range r.Shapes {
		fmt.Fprintf(&b, "\n| %s: %s | operands | %s | together, GFLOP/s | share of the peak | times the rung below |\n| --- | --- |%s ---: | ---: | ---: |\n",
			s.Preset, s.Text, strings.Join(s.Parts, " | "), strings.Repeat(" ---: |", len(s.Parts)))
		for i, x := range s.Rungs {
			step := ""
			if i > 0 && s.Rungs[i-1].Operands == x.Operands {
				step = fmt.Sprintf("%.2f", x.GFLOPs/s.Rungs[i-1].GFLOPs)
			}
			fmt.Fprintf(&b, "| %s | %s |", x.Name, x.Operands)
			for _, v := range x.Parts {
				fmt.Fprintf(&b, " %.3g |", v)
			}
			fmt.Fprintf(&b, " %.3g | %s | %s |\n", x.GFLOPs, percent(x.Share), step)
		}
	}
	return b.String()
}

func percent(share float64) string {
	if share < 0.1 {
		return fmt.Sprintf("%.1f %%", 100*share)
	}
	return fmt.Sprintf("%.0f %%", 100*share)
}

// keep replaces a file's measurements of this ladder, device and driver, or adds them.
func keep(file string, r report) error {
	var all []report
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", file, err)
	}
	same := func(x report) bool { return x.Op == r.Op && x.Device == r.Device && x.Driver == r.Driver }
	if i := slices.IndexFunc(all, same); i >= 0 {
		all[i] = r
	} else {
		all = append(all, r)
	}
	if data, err = json.MarshalIndent(all, "", " "); err != nil {
		return err
	}
	return files.WriteFile(file, append(data, '\n'))
}

// document replaces a page's block of this device and driver, or puts one before the line that says where blocks go.
func document(file string, r report) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text, err := insert(string(data), r)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return files.WriteFile(file, []byte(text))
}

func insert(text string, r report) (string, error) {
	begin, end := fmt.Sprintf("<!-- ladder %s: %s; %s -->\n", r.Op, r.Device, r.Driver), "<!-- end -->\n"
	block := begin + r.table() + end
	if before, rest, found := strings.Cut(text, begin); found {
		_, after, found := strings.Cut(rest, end)
		if !found {
			return "", fmt.Errorf("the block %q has no line %q", strings.TrimSpace(begin), strings.TrimSpace(end))
		}
		return before + block + after, nil
	}
	next := fmt.Sprintf("<!-- ladder %s: more -->\n", r.Op)
	before, after, found := strings.Cut(text, next)
	if !found {
		return "", fmt.Errorf("no line %q says where tables go", strings.TrimSpace(next))
	}
	return before + block + "\n" + next + after, nil
}
