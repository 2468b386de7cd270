// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"jitvk/engine"
	"jitvk/kernels/measure"
	"jitvk/tools/internal/page"
)

// The others' names, as the tables have them.
const (
	thePeak = "the peak" // for arithmetic with such operands
	sgemm   = "sgemm"
	aCopy   = "a copy"
	memcpy  = "memcpy"
)

// footprint is a section of its own, which the step's group fills: memory on the device that training takes, of which less is better.
const footprint = "footprint"

// A report is what one run measured.
type report struct {
	page.Source
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

// An other is whose rate ours is compared with.
type other struct {
	name string
	rate float64
}

// note adds a line to the end of the page.
func (r *report) note(format string, args ...any) {
	r.Notes = append(r.Notes, strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " "))
}

// add adds a result. An other that was not measured (0) has no ratio.
func (r *report) add(group, name, operands, unit string, rate float64, others ...other) {
	x := result{Group: group, Name: name, Operands: operands, Rate: rate, Unit: unit}
	for _, v := range others {
		if v.rate > 0 {
			x.Ratios = append(x.Ratios, ratio{v.name, rate / v.rate})
		}
	}
	r.Results = append(r.Results, x)
}

// page is the report as Markdown: a table for each group, ratios first.
func (r *report) page() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v. Measured peaks: %v.\n", r.Source, r.Peaks)
	for _, section := range append(groupNames(), footprint) {
		b.WriteString(r.section(section))
	}
	if len(r.Chosen) > 0 {
		t := page.Table{Left: []string{"work", "by"}}
		for _, class := range slices.Sorted(maps.Keys(r.Chosen)) {
			t.Add(class, r.Chosen[class])
		}
		fmt.Fprintf(&b, "\n## kernels chosen\n\n%v", &t)
	}
	if len(r.Notes) > 0 {
		b.WriteString("\n")
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	return b.String()
}

// section is a group's heading and table, "" where it has no results.
func (r *report) section(group string) string {
	var others []string
	var rows []result
	for _, x := range r.Results {
		if x.Group != group {
			continue
		}
		rows = append(rows, x)
		for _, v := range x.Ratios {
			if !slices.Contains(others, v.To) {
				others = append(others, v.To)
			}
		}
	}
	if rows == nil {
		return ""
	}
	t := page.Table{Left: []string{""}}
	for _, name := range others {
		t.Right = append(t.Right, "times "+name)
	}
	t.Right = append(t.Right, "rate")
	for _, x := range rows {
		cells := []string{strings.TrimSpace(x.Name + " " + x.Operands)}
		for _, name := range others {
			cells = append(cells, x.times(name))
		}
		t.Add(append(cells, fmt.Sprintf("%.3g %s", x.Rate, x.Unit))...)
	}
	return fmt.Sprintf("\n## %s\n\n%v", group, &t)
}

// times is a result's ratio to another, "" where there is none.
func (x result) times(name string) string {
	for _, v := range x.Ratios {
		if v.To == name {
			return fmt.Sprintf("%.3g", v.Value)
		}
	}
	return ""
}
