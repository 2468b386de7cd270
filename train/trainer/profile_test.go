// SPDX-License-Identifier: MIT

package trainer

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"jitvk/engine"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/measure"
	"jitvk/model/run"
)

// TestNewerDriver: the tip is for CPU drivers of a Mesa that is known to be older.
func TestNewerDriver(t *testing.T) {
	for driver, want := range map[string]bool{"llvmpipe Mesa 25.0.7-2~bpo12+1 (LLVM 15.0.6)": true, "llvmpipe Mesa 9.1": true,
		"llvmpipe Mesa 26.2.6-1 (LLVM 22.1.8)": false, "llvmpipe Mesa 100.0": false, "llvmpipe": false, "SwiftShader driver 5.0": false} {
		if got := newerDriver(engine.Info{Type: "cpu", Driver: driver}); (got != "") != want {
			t.Errorf("%s: tip %q, wanted: %v", driver, got, want)
		}
	}
	if got := newerDriver(engine.Info{Type: "discrete", Driver: "radv Mesa 25.0.7"}); got != "" {
		t.Errorf("a GPU: tip %q", got)
	}
}

// TestProfileRun profiles a small model: the table has its kernels, the trace fits together, and nothing is trained.
func TestProfileRun(t *testing.T) {
	kerneltest.Device(t)
	t.Setenv("JITVK_CACHE", t.TempDir())
	c := small(t)
	c.Profile, c.Data, c.Out = 2, pictures(t, 10), filepath.Join(t.TempDir(), "run")
	var out bytes.Buffer
	dir, err := Run(context.Background(), c, &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`(?m)^matmul/\w+ +\d+ +\d+ +\d+\.\d% +\d+\.\d\d +\d+\.\d\d +\d+ % of `, `(?m)^adamw +1 +`,
		`(?m)^all +\d+ +\d+ +100\.0% `,
		`(?m)^a step +\d+\.\d\d ms: .* images/s$`, `(?m)^host +\d+\.\d\d ms, \d+\.\d %: `, `(?m)^peak +copy: `,
		`(?m)^trace .*` + TraceName} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no %s in\n%s", want, &out)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	if got := strings.Join(names, " "); got != "config.json "+TraceName {
		t.Errorf("the folder of a profile has %s", got)
	}
	data, err := os.ReadFile(filepath.Join(dir, TraceName))
	if err != nil {
		t.Fatal(err)
	}
	var trace struct{ TraceEvents []traceEvent }
	if err := json.Unmarshal(data, &trace); err != nil {
		t.Fatal(err)
	}
	end, kernels := map[int]float64{}, 0
	for _, e := range trace.TraceEvents {
		if e.Phase != "X" {
			continue
		}
		if e.At < end[e.Row]-1e-3 || e.Duration < 0 {
			t.Errorf("%s begins at %g us, before what precedes it ends at %g, and takes %g", e.Name, e.At, end[e.Row], e.Duration)
		}
		if end[e.Row] = e.At + e.Duration; e.Row == 2 {
			kernels++
		}
	}
	if kernels < 20 || end[2] > end[1] {
		t.Errorf("%d kernels, the last of which ends at %g us; the host's row ends at %g", kernels, end[2], end[1])
	}
}

// TestProfileNumbers holds the table to one worked out by hand.
func TestProfileNumbers(t *testing.T) {
	peaks := measure.Peaks{{Name: measure.FMA, Rate: 100}, {Name: measure.Matrix, Rate: 1000}, {Name: measure.Copy, Rate: 10}}
	f := profile{steps: 2, read: 2 * time.Millisecond, submit: 2 * time.Millisecond, wait: 16 * time.Millisecond,
		device: 10 * time.Millisecond, kernels: []kernelTime{
			{"matmul/04_narrow", 4, 5 * time.Millisecond, 250e6, 10e6}, {"matmul/05_coopmat", 2, 4 * time.Millisecond, 2000e6, 10e6},
			{"ema", 2, time.Millisecond, 1e6, 8e6}}}
	want := `kernel              calls  us a step   share   GFLOP/s     GB/s  of peak
matmul/04_narrow        2       2500   50.0%     50.00     2.00   50 % of fp32 multiply-adds
matmul/05_coopmat       1       2000   40.0%    500.00     2.50   50 % of fp16 matrix unit
ema                     1        500   10.0%      1.00     8.00   80 % of copy
all                     4       5000  100.0%    225.10     2.80  
`
	if got := f.table(peaks); got != want {
		t.Errorf("got\n%s\nwanted\n%s", got, want)
	}
	if got := f.summary(engine.Info{Type: "discrete"}, 8).String(); !strings.Contains(got, "10.00 ms: 800.0 images/s") ||
		!strings.Contains(got, "5.00 ms, 50.0 %: 1.00 ms read pictures, 1.00 ms submit, 3.00 ms") {
		t.Error(got)
	}
}

func TestProfileFlags(t *testing.T) {
	for args, want := range map[string]string{"-profile -1": "-profile -1: at least 1 step", "-profile 3 -dry-run": "leave one of them out",
		"-profile x": "-help"} {
		if _, err := run.Parse(append([]string{"-preset", "quick"}, strings.Fields(args)...)); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
