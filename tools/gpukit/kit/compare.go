// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// predictions are what was foreseen before any card was at hand.
type predictions struct {
	Source string `json:"source"`
	Preset string `json:"preset"` // what they are for, as report.Preset has it
	Cards  []card `json:"cards"`
}

// A card is what was foreseen of one: rows by the names in compare.
type card struct {
	Name string                `json:"name"`
	Also string                `json:"also"` // regular expression for its name as drivers give it
	Rows map[string]prediction `json:"rows"`
}

// A prediction is numbers with the formula that gave each.
type prediction struct {
	Before, After, Compiled, Limit *forecast
}

type forecast struct {
	Value   float64 `json:"value"`
	Formula string  `json:"formula"`
}

// A row is a number that was measured, beside those that were predicted; 0 where there is none.
type row struct {
	Name     string  `json:"name"`
	Unit     string  `json:"unit"`
	Measured float64 `json:"measured"`
	Before   float64 `json:"before,omitempty"` // predicted for the code before issue 11's changes
	After    float64 `json:"after,omitempty"`  // predicted for the code after them
	Compiled float64 `json:"compiled,omitempty"`
	Limit    float64 `json:"limit,omitempty"`
}

func readPredictions(file string) (p predictions, err error) {
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil {
		return p, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

// compare puts what the lines have measured beside what was predicted for this card, if it was for any.
func (r *report) compare(p predictions) (rows []row) {
	foreseen := map[string]prediction{}
	for _, c := range p.Cards {
		if match, err := regexp.MatchString(c.Also, r.Device); err == nil && match && p.Preset == r.Preset {
			foreseen = c.Rows
		}
	}
	add := func(name, unit string, measured float64) {
		if measured <= 0 {
			return
		}
		f := foreseen[name]
		value := func(x *forecast) float64 {
			if x == nil {
				return 0
			}
			return x.Value
		}
		rows = append(rows, row{name, unit, measured, value(f.Before), value(f.After), value(f.Compiled), value(f.Limit)})
	}
	step := r.step("step-tuned")
	if step == 0 {
		step = r.step("step")
	}
	batch := r.batch()
	kernels := r.kernels()
	add("products", "ms", kernels["products"])
	add("attention", "ms", kernels["attention"])
	add("elementwise, optimizer", "ms", kernels["rest"])
	if step > 0 {
		ms := batch / step * 1e3
		add("gaps", "ms", ms-kernels["products"]-kernels["attention"]-kernels["rest"])
		add("total", "ms", ms)
	}
	add("images/s", "", step)
	for _, how := range []string{"eager", "compiled"} {
		peer := r.torch("torch-" + how)
		add("PyTorch "+how, "images/s", peer)
		if peer > 0 {
			add("ours to PyTorch "+how, "times", step/peer)
		}
	}
	return rows
}

// result returns a line's data, decoded; false where the line has none.
func (r *report) result(name string, into any) bool {
	for _, x := range r.Results {
		if x.Name == name && x.Data != nil {
			return json.Unmarshal(x.Data, into) == nil
		}
	}
	return false
}

// step is the images a second that tools/bench found in a line.
func (r *report) step(name string) float64 {
	var bench struct {
		Results []struct {
			Group, Unit string
			Rate        float64
		}
	}
	r.result(name, &bench)
	for _, x := range bench.Results {
		if x.Group == "step" && x.Unit == "images/s" {
			return x.Rate
		}
	}
	return 0
}

func (r *report) torch(name string) float64 {
	var peer struct {
		Rate float64 `json:"images_per_s"`
	}
	r.result(name, &peer)
	return peer.Rate
}

// batch is that of the report's preset, "blog256, batch 32, fp16".
func (r *report) batch() (n float64) {
	_, after, _ := strings.Cut(r.Preset, "batch ")
	fmt.Sscan(strings.TrimSuffix(after, ","), &n)
	return n
}

// kernels are milliseconds of a step by kind of kernel, from the profile's trace: those of the device, each by itself.
func (r *report) kernels() map[string]float64 {
	var trace struct {
		Events []struct {
			Name     string  `json:"name"`
			Phase    string  `json:"ph"`
			Duration float64 `json:"dur"` // microseconds
			Row      int     `json:"tid"`
		} `json:"traceEvents"`
	}
	r.result("profile", &trace)
	sums := map[string]float64{}
	for _, e := range trace.Events {
		if e.Phase != "X" || e.Row != 2 { // the host's row is 1
			continue
		}
		kind := "rest"
		if strings.HasPrefix(e.Name, "matmul/") {
			kind = "products"
		} else if strings.HasPrefix(e.Name, "attention/") {
			kind = "attention"
		}
		sums[kind] += e.Duration / 1e3
	}
	return sums
}

// comparison is the rows as a table in Markdown.
func comparison(rows []row) string {
	if len(rows) == 0 {
		return "Nothing was measured that could be compared.\n"
	}
	cell := func(v float64) string {
		if v == 0 {
			return ""
		}
		return fmt.Sprintf(" %.3g", v)
	}
	text := "| | measured | predicted before the changes | predicted after them | predicted of torch.compile | limit |\n" +
		"| --- | ---: | ---: | ---: | ---: | ---: |\n"
	for _, r := range rows {
		text += fmt.Sprintf("| %s |%s |%s |%s |%s |%s |\n", strings.TrimSpace(r.Name+" "+r.Unit), cell(r.Measured), cell(r.Before),
			cell(r.After), cell(r.Compiled), cell(r.Limit))
	}
	return text
}

// page is the report as Markdown.
func (r *report) page() string {
	text := fmt.Sprintf("# A run of the kit\n\n%s; found with %s. %s, kit of commit %s, %s UTC.\n", r.Device, r.Found, r.Preset, r.Kit,
		r.Date)
	if strings.Contains(r.Device, "(cpu, ") {
		text += "\n**This is a CPU driver: the run rehearses the kit. No rate below is a GPU's or worth quoting.**\n"
	}
	for _, n := range r.Notes {
		text += "\n" + n + "\n"
	}
	text += "\n| at | line | seconds, of at most | what became of it | decides |\n| ---: | --- | ---: | --- | --- |\n"
	for _, x := range r.Results {
		text += fmt.Sprintf("| %.0f | %s | %.1f, %d | %s | %s |\n", x.At, x.Name, x.Seconds, x.Limit, x.Status, x.Decides)
	}
	if r.Compared != nil {
		text += "\n## Measured and predicted\n\n" + comparison(r.Compared)
	}
	for _, x := range r.Results {
		if x.Tail != "" {
			text += fmt.Sprintf("\n## %s\n\n`%s`", x.Name, x.Command)
			if x.Clocks != "" {
				text += " (" + x.Clocks + ", least/median/most)"
			}
			text += "\n\n    " + strings.ReplaceAll(x.Tail, "\n", "\n    ") + "\n"
		}
	}
	return text
}
