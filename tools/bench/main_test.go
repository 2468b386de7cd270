// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/measure"
	"jitvk/tools/internal/page"
)

func TestMain(m *testing.M) { kerneltest.Main(m) }

// python stands in for an interpreter with numpy and PyTorch: what it is asked to run, it has run.
func python(t *testing.T, peer string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "python")
	script := `#!/bin/sh
case "$1 $2" in
"-c import torch") exit 0 ;;
"-c "*) echo numpy; while read line; do echo done; done ;;
*) ` + peer + ` ;;
esac
`
	if err := os.WriteFile(file, []byte(script), 0o777); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestBench measures everything at the smallest size: every group has rates, and ratios to all others.
func TestBench(t *testing.T) {
	if testing.Short() || os.Getenv("JITVK_VALIDATE") == "1" {
		t.Skip("moves gigabytes")
	}
	d := kerneltest.Device(t)
	peer := filepath.Join(t.TempDir(), "peer.py")
	if err := os.WriteFile(peer, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	o, err := parse([]string{"-presets", "tiny", "-batch", "1", "-rounds", "1", "-sample-steps", "1", "-peer", peer, "-device",
		os.Getenv("JITVK_DEVICE"),
		"-python", python(t, `echo; echo "{\"images_per_s\": ${OMP_NUM_THREADS:-9}, \"sample_images_per_s\": 0.5}"`)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := bench(context.Background(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, x := range r.Results {
		count[x.Group]++
		if !(x.Rate > 0) || x.Unit == "" {
			t.Errorf("%+v", x)
		}
		to := []string{}
		for _, v := range x.Ratios {
			if to = append(to, v.To); !(v.Value > 0) {
				t.Errorf("%s: %+v", x.Name, v)
			}
		}
		if !d.Info().CPU() {
			continue
		}
		want := map[string][]string{"matmul": {thePeak, sgemm}, "attention": {thePeak, "our y = x wᵀ"}, "memory": {aCopy, memcpy},
			"step": {"PyTorch"}, "sample": {"PyTorch"}}[x.Group]
		if x.Group == footprint { // on a CPU the peer does not say
			want = []string{}
		}
		if x.Name == aCopy || x.Name == memcpy {
			want = []string{}
		}
		if x.Unit == "GFLOP/s" && x.Group == "step" {
			want = []string{thePeak}
		}
		if !slices.Equal(to, want) {
			t.Errorf("%s is compared with %q, %q wanted", x.Name, to, want)
		}
	}
	for _, g := range append(groupNames(), footprint) {
		if count[g] == 0 {
			t.Errorf("nothing of %s", g)
		}
	}
	if r.Device == "" || r.Driver == "" || r.Date == "" || r.Go == "" || !(r.Peaks.Rate(measure.Copy) > 0) {
		t.Errorf("the report does not say where it comes from: %+v", r)
	}
}

// TestPeerFails: that the peer breaks is noted, and costs nothing but its column.
func TestPeerFails(t *testing.T) {
	d := kerneltest.Device(t)
	for script, want := range map[string]string{"echo out of luck >&2; exit 3": "out of luck", "echo {}": "images_per_s wanted"} {
		b := &session{Context: context.Background(), options: options{solver: 1}, dev: d, report: &report{},
			torch: &torch{python(t, script), "peer.py", map[string][]torchResult{}}}
		rate := func(x torchResult) float64 { return x.Train }
		for range 2 { // the second time from memory
			if got := b.peers("tiny", 1, "fp32", rate); got != nil {
				t.Errorf("%s: %v", script, got)
			}
		}
		if len(b.report.Notes) != 1 || !strings.Contains(b.report.Notes[0], want) {
			t.Errorf("%s: noted %q", script, b.report.Notes)
		}
		if got := b.peers("quick", 1, "fp32", rate); got != nil {
			t.Errorf("the peer has no model quick, but %v", got)
		}
	}
}

func TestPage(t *testing.T) {
	r := report{Source: page.Source{Device: "D", Driver: "V", Commit: "abc", Date: "2026-01-02", Go: "go1", Cores: 2, Load: "0.10"},
		Peaks: measure.Peaks{{Name: measure.FMA, Unit: "GFLOP/s", Rate: 20}}}
	r.add("step", "tiny", "fp32", "images/s", 50, other{"PyTorch", 100}, other{"nobody", 0})
	r.add("matmul", "cube", "fp32", "GFLOP/s", 10, other{thePeak, 20}, other{sgemm, 40})
	r.add("matmul", "cube", "fp16", "GFLOP/s", 10, other{thePeak, 20})
	r.Chosen = engine.Choices{"work": "kernel"}
	r.note("two\nlines")
	want := `D, V, 2026-01-02, commit abc, go1, 2 cores, load 0.10 before the run. Measured peaks: fp32 multiply-adds 20 GFLOP/s.

## matmul

| | times the peak | times sgemm | rate |
| --- | ---: | ---: | ---: |
| cube fp32 | 0.5 | 0.25 | 10 GFLOP/s |
| cube fp16 | 0.5 | | 10 GFLOP/s |

## step

| | times PyTorch | rate |
| --- | ---: | ---: |
| tiny fp32 | 0.5 | 50 images/s |

## kernels chosen

| work | by |
| --- | --- |
| work | kernel |

- two lines
`
	if got := r.page(); got != want {
		t.Errorf("got\n%s\nwanted\n%s", got, want)
	}
	var back report
	data, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(data, &back)
	}
	if err != nil || back.page() != want {
		t.Errorf("the page cannot be made from the JSON (%v):\n%s", err, data)
	}
}

func TestFlags(t *testing.T) {
	for args, want := range map[string]string{
		"-presets tiny,huge":        `no preset "huge"`,
		"-only matmul,cooking":      "there are matmul, attention, memory, step, sample",
		"-rounds 0":                 "-rounds 0: at least 1",
		"-batch -1":                 "-batch -1",
		"-sample-steps 0":           "-sample-steps 0",
		"-write ../up":              "-write ../up",
		"tiny":                      `unexpected argument "tiny"`,
		"-presets quick -bogus yes": "-help",
	} {
		if _, err := parse(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", args, err)
		}
	}
	o, err := parse([]string{"-all"})
	if got := strings.Join(o.presets, " "); err != nil || got != "quick tiny faces64 blog256" {
		t.Errorf("-all: %s (%v)", got, err)
	}
	if err := command(context.Background(), []string{"-write", "x"}, nil); err == nil ||
		!strings.Contains(err.Error(), "repository's root") {
		t.Errorf("-write in another folder: %v", err)
	}
	// Before a device is opened and anything is measured.
	if err := command(context.Background(), []string{"-json", filepath.Join(os.DevNull, "x.json"), "-device", "none"}, nil); err == nil ||
		!strings.Contains(err.Error(), "-json") {
		t.Errorf("-json where no folder can be: %v", err)
	}
}

func TestLibraryMissing(t *testing.T) {
	info := kerneltest.Device(t).Info()
	info.Type = "cpu"
	if _, err := startLibrary(filepath.Join(t.TempDir(), "none"), info); err == nil {
		t.Error("no error without an interpreter")
	}
	file := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(file, []byte("#!/bin/sh\necho ModuleNotFoundError >&2\nexit 1\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := startLibrary(file, info); err == nil || !strings.Contains(err.Error(), "ModuleNotFoundError; name an interpreter") {
		t.Errorf("without numpy: %v", err)
	}
	info.Type = "discrete"
	if _, err := startLibrary(file, info); err == nil || !strings.Contains(err.Error(), "that has PyTorch") {
		t.Errorf("a GPU without PyTorch: %v", err)
	}
}
