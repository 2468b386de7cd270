// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rehearse runs lines by sh in a kit of its own and returns the report as the file has it.
func rehearse(t *testing.T, ctx context.Context, lines string, args ...string) (report, string) {
	t.Helper()
	home, out := t.TempDir(), t.TempDir()
	file := filepath.Join(home, "lines.json")
	if err := os.WriteFile(file, []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("../predictions.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "predictions.json"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	if err := command(ctx, append([]string{"-home", home, "-out", out}, args...), &said); err != nil {
		t.Fatal(err)
	}
	var r report
	data, err = os.ReadFile(filepath.Join(out, "results.json"))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	return r, out
}

// TestFaults: a line that hangs, one that hangs in a grandchild and will not be asked to end, and one that crashes cost their own
// results; after each the results so far are on disk.
func TestFaults(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	t.Setenv("PIDS", pids)
	r, out := rehearse(t, context.Background(), `[
		{"name": "first", "decides": "x", "run": ["sh", "-c", "echo one; echo two >&2; test -e lines.json"], "in": ".", "limit": 10},
		{"name": "hangs", "decides": "x", "run": ["sh", "-c", "echo before; exec sleep 1000"], "limit": 1},
		{"name": "grandchild", "decides": "x", "limit": 1,
		 "run": ["sh", "-c", "trap '' TERM INT; sh -c 'trap \"\" TERM; sleep 1000' & echo $! >$PIDS; wait; wait"]},
		{"name": "left-behind", "decides": "x", "limit": 10, "run": ["sh", "-c", "sleep 1000 & echo $! >>$PIDS"]},
		{"name": "crashes", "decides": "x", "run": ["sh", "-c", "kill -SEGV $$"], "limit": 10},
		{"name": "fails", "decides": "x", "run": ["sh", "-c", "exit 7"], "limit": 10},
		{"name": "missing", "decides": "x", "run": ["no-such-program"], "limit": 10},
		{"name": "needs", "decides": "x", "run": ["true"], "needs": "no-such-program", "limit": 10},
		{"name": "last", "decides": "x", "run": ["sh", "-c", "echo '{\"images_per_s\": 3}'"],
		 "data": "last", "limit": 10, "env": ["A=b"]}]`)
	want := []string{"ok", "hung: killed after 1 s", "hung: killed after 1 s", "ok", "crashed: segmentation fault", "exit status 7",
		"could not be started: ", "skipped: there is no no-such-program here", "ok"}
	if len(r.Results) != len(want) {
		t.Fatalf("%d results: %+v", len(r.Results), r.Results)
	}
	for i, x := range r.Results {
		if !strings.HasPrefix(x.Status, want[i]) {
			t.Errorf("%s: %s, want %s", x.Name, x.Status, want[i])
		}
		if x.Seconds > 4 {
			t.Errorf("%s took %.1f s", x.Name, x.Seconds)
		}
	}
	if x := r.Results[0]; x.Tail != "one\ntwo" || r.Results[1].Tail != "before" {
		t.Errorf("%q, %q", x.Tail, r.Results[1].Tail)
	}
	if x := r.Results[8]; string(x.Data) == "" || !strings.HasPrefix(x.Command, "A=b sh -c") {
		t.Errorf("%+v", x)
	}
	log, err := os.ReadFile(filepath.Join(out, "log.txt"))
	if err != nil || !strings.Contains(string(log), "=== hangs: sh -c") ||
		!strings.Contains(string(log), "--- crashed: segmentation fault") {
		t.Errorf("%v\n%s", err, log)
	}
	data, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		if !gone(pid) {
			t.Errorf("process %d is there still", pid)
		}
	}
}

// gone waits until a process is no more, or a zombie that nobody fetches.
func gone(pid int) bool {
	for range 100 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if syscall.Kill(pid, 0) != nil || err == nil && strings.Contains(string(stat), ") Z ") {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// TestSaved: while a line runs, the results of those before it are in the file.
func TestSaved(t *testing.T) {
	out := t.TempDir()
	seen := filepath.Join(t.TempDir(), "seen")
	home := t.TempDir()
	lines := fmt.Sprintf(`[{"name": "first", "decides": "x", "run": ["true"], "limit": 10},
		{"name": "second", "decides": "x", "run": ["cp", "%s/results.json", "%s"], "limit": 10}]`, out, seen)
	if err := os.WriteFile(filepath.Join(home, "lines.json"), []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := command(context.Background(), []string{"-home", home, "-out", out}, &strings.Builder{}); err != nil {
		t.Fatal(err)
	}
	var r report
	data, err := os.ReadFile(seen)
	if err != nil || json.Unmarshal(data, &r) != nil || len(r.Results) != 1 || r.Results[0].Name != "first" {
		t.Errorf("%v: %s", err, data)
	}
}

// TestTotal: lines for which no time is left are skipped, a line's limit is at most what is left, and Ctrl-C ends the line under way.
func TestTotal(t *testing.T) {
	const two = `[{"name": "a", "decides": "x", "run": ["sleep", "100"], "limit": 50},
		{"name": "b", "decides": "x", "run": ["true"], "limit": 5}]`
	r, _ := rehearse(t, context.Background(), two, "-total", "6s")
	if x := r.Results[0]; x.Limit > 6 || !strings.HasPrefix(x.Status, "hung") || r.Results[1].Status != "skipped: no time is left" {
		t.Errorf("%+v", r.Results)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r, _ = rehearse(t, ctx, two)
	if r.Results[0].Status != "interrupted" || r.Results[1].Status != "skipped: interrupted" {
		t.Errorf("%+v", r.Results)
	}
}

// TestLines: the kit's own lines are well formed, fit into ten minutes, and rehearse.
func TestLines(t *testing.T) {
	lines, err := readLines("../lines.json")
	if err != nil {
		t.Fatal(err)
	}
	total, names := 0, []string{}
	for _, l := range lines {
		total += l.Limit
		names = append(names, l.Name)
		if l.Decides == "" || l.Data != "" && !slices.Contains([]string{"json", "last", "trace"}, l.Data) {
			t.Errorf("%+v", l)
		}
	}
	if total > 600 {
		t.Errorf("the limits add up to %d s", total)
	}
	for _, name := range []string{"step", "step-tuned", "profile", "torch-eager", "torch-compiled"} { // compare looks for them
		if !slices.Contains(names, name) {
			t.Errorf("no line %s", name)
		}
	}
	s := settings{preset: "tiny", batch: 4, precision: "fp32", bin: t.TempDir(), work: "/w", home: "/h"}
	l := line{Name: "n", Run: []string{"x", "{preset}", "{batch}", "{json}", "{dir}/{precision}", "{home}/p", "{pictures}"}}
	if got := strings.Join(s.expand(l), " "); got != "x tiny 4 /w/n.json /w/n/fp32 /h/p /w/pictures" {
		t.Error(got)
	}
	for _, text := range []string{`[{"name": "a", "run": ["x"]}]`, `[{"name": "a", "limit": 1}]`, `[`,
		`[{"name": "a", "run": ["x"], "limit": 1}, {"name": "a", "run": ["x"], "limit": 1}]`} {
		file := filepath.Join(t.TempDir(), "lines.json")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readLines(file); err == nil {
			t.Errorf("%s passed", text)
		}
	}
}

// TestPredictions: each predicted time is what the formula beside it gives.
func TestPredictions(t *testing.T) {
	p, err := readPredictions("../predictions.json")
	if err != nil {
		t.Fatal(err)
	}
	ratio := regexp.MustCompile(`^([\d.]+) T?G?(?:FLOP|B) / ([\d.]+) T(?:FLOP|B)/s$`)
	checked := 0
	for _, c := range p.Cards {
		columns := func(name string) (out []*forecast) {
			x := c.Rows[name]
			return []*forecast{x.Limit, x.Compiled, x.Before, x.After}
		}
		total, images := columns("total"), columns("images/s")
		sums := make([]float64, len(total))
		for name := range c.Rows {
			for i, f := range columns(name) {
				if f == nil {
					continue
				}
				if name != "total" && name != "images/s" && name != "PyTorch eager" {
					sums[i] += f.Value
				}
				m := ratio.FindStringSubmatch(f.Formula)
				if m == nil {
					continue
				}
				work, _ := strconv.ParseFloat(m[1], 64)
				rate, _ := strconv.ParseFloat(m[2], 64)
				ms := work / rate * 1e3
				if strings.Contains(f.Formula, "GB / ") {
					ms /= 1e3
				}
				if checked++; math.Abs(ms/f.Value-1) > 0.03 {
					t.Errorf("%s, %s: %s is %.3g ms, not %g", c.Name, name, f.Formula, ms, f.Value)
				}
			}
		}
		for i := range total {
			if math.Abs(sums[i]/total[i].Value-1) > 0.03 || math.Abs(32e3/total[i].Value/images[i].Value-1) > 0.03 {
				t.Errorf("%s, column %d: rows add up to %.3g ms, total %g, %g images/s", c.Name, i, sums[i], total[i].Value,
					images[i].Value)
			}
		}
	}
	if checked != 24 {
		t.Errorf("%d formulas", checked)
	}
}

// TestCompare: what lines measured becomes rows; a card is known by its name, and predictions are for their preset alone.
func TestCompare(t *testing.T) {
	p, err := readPredictions("../predictions.json")
	if err != nil {
		t.Fatal(err)
	}
	r := report{Device: "0: NVIDIA GeForce RTX 5090 (discrete, NVIDIA 580)", Preset: p.Preset, Results: []result{
		{Name: "step", Data: json.RawMessage(`{"results": [{"group": "step", "unit": "images/s", "rate": 200}]}`)},
		{Name: "step-tuned", Data: json.RawMessage(`{"results": [{"group": "step", "unit": "GFLOP/s", "rate": 1},
			{"group": "step", "unit": "images/s", "rate": 320}]}`)},
		{Name: "profile", Data: json.RawMessage(`{"traceEvents": [{"name": "wait", "ph": "X", "dur": 9000, "tid": 1},
			{"name": "matmul/05_coopmat", "ph": "X", "dur": 60000, "tid": 2}, {"name": "attention/delta", "ph": "X", "dur": 9000, "tid": 2},
			{"name": "adamw", "ph": "X", "dur": 11000, "tid": 2}, {"name": "thread_name", "ph": "M", "tid": 2}]}`)},
		{Name: "torch-eager", Data: json.RawMessage(`{"images_per_s": 160}`)},
	}}
	got := map[string]row{}
	for _, x := range r.compare(p) {
		got[x.Name] = x
	}
	want := map[string]row{
		"products":               {"products", "ms", 60, 92, 57, 48, 46},
		"attention":              {"attention", "ms", 9, 10, 9, 7, 3.8},
		"elementwise, optimizer": {"elementwise, optimizer", "ms", 11, 17, 7.5, 10.5, 5},
		"gaps":                   {"gaps", "ms", 20, 3, 1, 2, 0},
		"total":                  {"total", "ms", 100, 122, 75, 68, 55},
		"images/s":               {"images/s", "", 320, 262, 430, 470, 580},
		"PyTorch eager":          {"PyTorch eager", "images/s", 160, 0, 0, 136, 0},
		"ours to PyTorch eager":  {Name: "ours to PyTorch eager", Unit: "times", Measured: 2},
	}
	if len(got) != len(want) {
		t.Errorf("%d rows: %+v", len(got), got)
	}
	for name, w := range want {
		if g := got[name]; g != w {
			t.Errorf("%+v, want %+v", g, w)
		}
	}
	if text := comparison(r.compare(p)); !strings.Contains(text, "| total ms | 100 | 122 | 75 | 68 | 55 |") {
		t.Error(text)
	}
	for _, change := range []func(){func() { r.Preset = "tiny, batch 4, fp32" }, func() { r.Preset, r.Device = p.Preset, "0: Arc" }} {
		change()
		for _, x := range r.compare(p) {
			if x.Before != 0 || x.After != 0 {
				t.Errorf("%s, %s: %+v", r.Device, r.Preset, x)
			}
		}
	}
}

func TestClocks(t *testing.T) {
	const csv = "1980, 2619, 412.50, 61\n2100, 2619, 600.00, 63\n1500, 2619, 80.1, 50\n[N/A], 2619, 1, 1\nhalf a li"
	if got := clockText(csv); got != "SM clock 1500/1980/2100 MHz, memory clock 2619/2619/2619 MHz, power 1/412.5/600 W, 1/61/63 °C" {
		t.Error(got)
	}
	if got := clockText(""); got != "" {
		t.Error(got)
	}
}
