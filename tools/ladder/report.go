// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"jitvk/engine"
	"jitvk/engine/files"
	"jitvk/kernels"
	"jitvk/kernels/measure"
	"jitvk/tools/internal/page"
)

// A report is what one run measured of one ladder.
type report struct {
	Op string `json:"op"`
	page.Source
	Peaks  measure.Peaks `json:"peaks"`
	Shapes []shape       `json:"shapes"`
}

// A shape is that of a preset, and what every rung reached at it.
type shape struct {
	Preset string   `json:"preset"`
	Text   string   `json:"text"`
	Parts  []string `json:"parts"`
	Rungs  []rung   `json:"rungs"`
}

// A rung's rates at a shape.
type rung struct {
	Name     string    `json:"rung"`
	Operands string    `json:"operands"`
	Parts    []float64 `json:"parts"`  // GFLOP/s of each part
	GFLOPs   float64   `json:"gflops"` // of all parts, one after the other
	Share    float64   `json:"share"`  // of the measured peak for such operands
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

// text is the report as Markdown.
func (r report) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v. Measured peaks: %v.\n", r.Source, r.Peaks)
	for _, s := range r.Shapes {
		fmt.Fprintf(&b, "\n%v", s.table())
	}
	return b.String()
}

func (s shape) table() *page.Table {
	t := &page.Table{Left: []string{s.Preset + ": " + s.Text, "operands"},
		Right: append(slices.Clone(s.Parts), "together, GFLOP/s", "share of the peak", "times the rung below")}
	for i, x := range s.Rungs {
		cells := []string{x.Name, x.Operands}
		for _, v := range append(slices.Clone(x.Parts), x.GFLOPs) {
			cells = append(cells, fmt.Sprintf("%.3g", v))
		}
		step := ""
		if i > 0 && s.Rungs[i-1].Operands == x.Operands {
			step = fmt.Sprintf("%.2f", x.GFLOPs/s.Rungs[i-1].GFLOPs)
		}
		t.Add(append(cells, percent(x.Share), step)...)
	}
	return t
}

func percent(share float64) string {
	if share < 0.1 {
		return fmt.Sprintf("%.1f %%", 100*share)
	}
	return fmt.Sprintf("%.0f %%", 100*share)
}

// publish puts the report where the options say.
func (r report) publish(o options) error {
	if o.json != "" {
		if err := keep(o.json, r); err != nil {
			return err
		}
	}
	if o.write {
		return document(path.Join("docs", "kernels", r.Op+".md"), r)
	}
	return nil
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
	return page.WriteJSON(file, all)
}

// document replaces a page's block of this ladder, device and driver, or adds it.
func document(file string, r report) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text, err := page.Insert(string(data), "ladder "+r.Op, r.Device+"; "+r.Driver, r.text())
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return files.WriteFile(file, []byte(text))
}
