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
//
// Read main.go, then measure.go; report.go is what comes of it.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/model"
	"jitvk/model/run"
	"jitvk/tools/internal/page"
)

// options are the command line.
type options struct {
	presets, device, json string
	rounds                int
	write                 bool
}

func main() {
	var o options
	flag.StringVar(&o.presets, "presets", "quick,tiny,faces64,blog256", "whose shapes to time, `names` separated by commas")
	flag.StringVar(&o.device, "device", "", "index of the device, or part of its name")
	flag.IntVar(&o.rounds, "rounds", 5, "how often each rung has its turn")
	flag.StringVar(&o.json, "json", "", "put the measurements into this `file`")
	flag.BoolVar(&o.write, "write", false, "put the tables into docs/kernels/OP.md")
	flag.Parse()
	if err := command(flag.Args(), o); err != nil {
		fmt.Fprintln(os.Stderr, "ladder:", err)
		os.Exit(1)
	}
}

func command(ops []string, o options) error {
	if len(ops) == 0 {
		ops = []string{"matmul", "attention"}
	}
	for _, op := range ops {
		if ladders[op] == nil {
			return fmt.Errorf("%s: there are the ladders matmul and attention", op)
		}
	}
	var configs []model.Config
	for _, name := range strings.Split(o.presets, ",") {
		c, err := run.Preset(name)
		if err != nil {
			return err
		}
		configs = append(configs, c.Model)
	}
	if err := kernels.CheckRung(); err != nil {
		return err
	}
	d, err := engine.Open(engine.Options{Select: o.device})
	if err != nil {
		return err
	}
	defer d.Close()
	source := page.Here(d.Info())
	for _, op := range ops {
		r := report{Op: op, Source: source}
		for _, c := range configs {
			fmt.Fprintf(os.Stderr, "%s, %s …\n", op, c.Preset)
			if err := r.measure(d, c, o.rounds); err != nil {
				return err
			}
		}
		r.shares()
		fmt.Println(r.text())
		if err := r.publish(o); err != nil {
			return err
		}
	}
	return nil
}
