// SPDX-License-Identifier: MIT

package trainer

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jitvk/engine/files"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/tune"
	"jitvk/model/checkpoint"
	"jitvk/model/run"
	"jitvk/train/faces"
)

// interrupter is a screen that ends the run when the first step is shown.
type interrupter struct {
	cancel func()
	text   strings.Builder
}

func (w *interrupter) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("step ")) {
		w.cancel()
	}
	return w.text.Write(p)
}

// train runs a configuration, to its end or until its first step is shown.
func train(t *testing.T, c run.Config, interrupt bool) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := &interrupter{cancel: func() {}}
	if interrupt {
		out.cancel = cancel
	}
	dir, err := Run(ctx, c, out)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Contains(out.text.String(), "interrupted at step"); got != interrupt {
		t.Fatalf("interrupted %t, want %t:\n%s", got, interrupt, out.text.String())
	}
	return dir
}

// parse is Parse for a command line that must be right. Kernels are guessed: what is measured differs from run to run.
func parse(t testing.TB, args ...string) run.Config {
	t.Helper()
	c, err := run.Parse(args)
	if err != nil {
		t.Fatal(err)
	}
	c.Tune = tune.Off
	return c
}

// outcome is a run's checkpoint, and its log without the two columns of time.
func outcome(t *testing.T, dir string) (checkpoint []byte, log string) {
	t.Helper()
	checkpoint, err := os.ReadFile(filepath.Join(dir, run.CheckpointName))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "log.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		log += strings.Join(r[:5], ",") + "\n"
	}
	return checkpoint, log
}

// TestResumeIsExact interrupts runs twice, in the middle of their schedules, and goes on: checkpoint and log are those of runs
// without a stop. Without the whole sweep fp16 is the run that skips steps.
func TestResumeIsExact(t *testing.T) {
	kerneltest.Device(t)
	t.Setenv("JITVK_CACHE", t.TempDir())
	data := pictures(t, 12)
	for i, name := range []string{"a", "b"} { // two classes
		if err := os.MkdirAll(filepath.Join(data, name), 0o777); err != nil {
			t.Fatal(err)
		}
		img, _ := faces.Draw(9, 100+i, 32)
		writePNG(t, filepath.Join(data, name, "one.png"), img)
	}
	for name, args := range map[string]string{
		"quick":          "-preset quick -stride 8 -ema2 0.9 -accumulate 2",
		"labels in fp16": "-preset jit-quick -labels folders -precision fp16",
		"steps skipped":  "-preset jit-quick -labels folders -precision fp16 -lr 1",
	} {
		if name == "labels in fp16" && !kerneltest.All() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c := parse(t, append(strings.Fields(args), "-data", data, "-dim", "32", "-depth", "2", "-heads", "1", "-batch", "4", "-steps",
				"9", "-warmup", "3")...)
			c.Out = filepath.Join(t.TempDir(), "whole")
			whole, wholeLog := outcome(t, train(t, c, false))

			c.Out = filepath.Join(t.TempDir(), "parts")
			dir := train(t, c, true)
			dir = train(t, parse(t, "-resume", dir, "-checkpoint-blocks"), true) // which changes no bit
			dir = train(t, parse(t, "-resume", filepath.Join(dir, run.CheckpointName)), false)
			parts, partsLog := outcome(t, dir)
			if partsLog != wholeLog {
				t.Errorf("log with stops:\n%s\nwithout:\n%s", partsLog, wholeLog)
			}
			if !bytes.Equal(parts, whole) {
				t.Error("the checkpoints differ")
			}
			f, err := checkpoint.Open(filepath.Join(dir, run.CheckpointName))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			t.Logf("step %s, %s, loss scale %s", f.Meta["step"], f.Meta["data"], f.Meta["loss_scale"])
		})
	}
}

// TestResumeSaysWhatChanges goes on with more steps, in another folder and with the pictures in another place, and refuses what
// would be another run.
func TestResumeSaysWhatChanges(t *testing.T) {
	kerneltest.Device(t)
	t.Setenv("JITVK_CACHE", t.TempDir())
	c := small(t)
	c.Data, c.Out, c.Steps = pictures(t, 10), filepath.Join(t.TempDir(), "run"), 3
	dir := train(t, c, false)
	longer := parse(t, "-resume", dir, "-steps", "5", "-data", zipOf(t, c.Data), "-out", filepath.Join(t.TempDir(), "longer"))
	out := new(bytes.Buffer)
	to, err := Run(context.Background(), longer, out)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"after step 3 of 5", "-steps was 3: the learning rate goes on as a run of 5 steps has it"} {
		if !strings.Contains(out.String(), s) {
			t.Errorf("output does not say %q:\n%s", s, out)
		}
	}
	if _, log := outcome(t, to); to != longer.Out || !strings.Contains(log, "\n4,") || strings.Contains(log, "\n3,") {
		t.Errorf("log in %s:\n%s", to, log)
	}
	if _, log := outcome(t, dir); strings.Contains(log, "\n4,") {
		t.Errorf("the first run was written to:\n%s", log)
	}

	foreign := filepath.Join(t.TempDir(), "converted.safetensors")
	if err := checkpoint.Save(foreign, map[string]string{"format": "jitvk 1", "config": "{}"}, nil); err != nil {
		t.Fatal(err)
	}
	for args, says := range map[string]string{
		"-resume /nowhere":                                     "/nowhere: file does not exist",
		"-resume " + t.TempDir():                               run.CheckpointName,
		"-resume " + dir:                                       "it is at step 3, -steps is 3: name more with -steps",
		"-resume " + dir + " -lr 1 -batch 4":                   "leave out -batch, -lr; what can be set is -config, -data, -steps, ",
		"-resume " + dir + " -preset quick":                    "leave out -preset",
		"-resume " + dir + " -steps 5 -out " + to:              "already holds a run",
		"-resume " + foreign:                                   "converted",
		"-resume " + dir + " -steps 5 -data " + pictures(t, 9): "holds other pictures or labels (9 pictures, ",
	} {
		c, err := run.Parse(strings.Fields(args))
		if err == nil {
			_, err = Run(context.Background(), c, new(bytes.Buffer))
		}
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v does not say %q in one line", args, err, says)
		}
	}
}

// TestOneProcessARun: while a run is under way in a folder, no other goes on there; one that was killed keeps nobody out.
func TestOneProcessARun(t *testing.T) {
	kerneltest.Device(t)
	t.Setenv("JITVK_CACHE", t.TempDir())
	c := small(t)
	c.Data, c.Out, c.Steps = pictures(t, 10), filepath.Join(t.TempDir(), "run"), 3
	dir := train(t, c, false)
	before, log := outcome(t, dir)
	other, err := files.Create(filepath.Join(dir, "running")) // as a run under way holds it
	if err != nil {
		t.Fatal(err)
	}
	defer other.Abort()
	longer := parse(t, "-resume", dir, "-steps", "5")
	if _, err := Run(context.Background(), longer, new(bytes.Buffer)); !errors.Is(err, files.ErrBusy) ||
		strings.Contains(err.Error(), "\n") {
		t.Errorf("two processes in one folder: %v", err)
	}
	if now, nowLog := outcome(t, dir); !bytes.Equal(now, before) || nowLog != log {
		t.Error("the other's run was written to")
	}
	other.Abort()
	if err := os.WriteFile(filepath.Join(dir, "running.tmp"), nil, 0o666); err != nil { // a kill leaves it
		t.Fatal(err)
	}
	train(t, longer, false)
	if left, err := filepath.Glob(filepath.Join(dir, "running*")); err != nil || left != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
