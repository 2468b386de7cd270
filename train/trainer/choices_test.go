// SPDX-License-Identifier: MIT

package trainer

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jitvk/engine"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/tune"
	"jitvk/model/checkpoint"
	"jitvk/model/run"
)

// guesses is what a run guesses where nothing has been measured.
func guesses(t *testing.T, c run.Config) []engine.Guess {
	t.Helper()
	plan, err := engine.Open(engine.Options{DryRun: true, Select: c.Device})
	if err != nil {
		t.Fatal(err)
	}
	s, samples, err := build(plan, c)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	samples.Close()
	return plan.Guessed()
}

// remember puts into the cache folder what an earlier run has measured: of each class the last choice, or the first.
func remember(t *testing.T, known []engine.Guess, last bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(os.Getenv("JITVK_CACHE"), "choices-*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var table map[string]any
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	choices := map[string]string{}
	for _, d := range known {
		if choices[d.Class] = d.Choices[0]; last {
			choices[d.Class] = d.Choices[len(d.Choices)-1]
		}
	}
	table["choices"] = choices
	if text, err = json.Marshal(table); err == nil {
		err = os.WriteFile(files[0], text, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// kept are the choices in a run's checkpoint.
func kept(t *testing.T, dir string) (c tune.Kept) {
	t.Helper()
	f, err := checkpoint.Open(filepath.Join(dir, run.CheckpointName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := json.Unmarshal([]byte(f.Meta["choices"]), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestChoicesBelongToTheRun: a run measures what it can choose, once; one that is stopped and goes on takes its own choices,
// whatever has been measured since, to the bits of one that never stopped; and a dry run plans by the same.
func TestChoicesBelongToTheRun(t *testing.T) {
	device := kerneltest.Device(t)
	t.Setenv("JITVK_CACHE", t.TempDir())
	data := pictures(t, 12)
	// Gradients of few elements, each a long sum: they can be cut along that sum.
	c := parse(t, "-preset", "quick", "-stride", "8", "-dim", "32", "-depth", "1", "-heads", "1", "-batch", "64", "-steps", "6", "-warmup",
		"3", "-data", data,
		"-device", os.Getenv("JITVK_DEVICE"))
	known := guesses(t, c)
	if len(known) == 0 && device.Info().CPU() {
		t.Fatal("there is nothing to choose")
	}
	run := func(c run.Config, mode tune.Mode) (dir, says string) {
		t.Helper()
		c.Tune, c.Out = mode, filepath.Join(t.TempDir(), "run")
		var out bytes.Buffer
		dir, err := Run(context.Background(), c, &out)
		if err != nil {
			t.Fatal(err)
		}
		return dir, out.String()
	}
	dir, says := run(c, tune.Auto)
	if !strings.Contains(says, "measuring   kernels on "+device.Info().Name) {
		t.Errorf("the first run says\n%s", says)
	}
	if first := kept(t, dir); len(first.Choices) != len(known) || first.Device != device.Info().Key() {
		t.Errorf("the checkpoint holds %v; %d wanted", first, len(known))
	}
	if _, says = run(c, tune.Auto); strings.Contains(says, "measuring") {
		t.Errorf("the second run says\n%s", says)
	}

	remember(t, known, true)
	dir, says = run(c, tune.Auto)
	whole, wholeLog := outcome(t, dir)
	choices := kept(t, dir).Choices
	for _, d := range known {
		if choices[d.Class] != d.Choices[len(d.Choices)-1] {
			t.Errorf("%s is done by %s, not as the table has it", d.Class, choices[d.Class])
		}
	}
	if guessed, _ := run(c, tune.Off); maps.Equal(kept(t, guessed).Choices, choices) {
		t.Error("-tune off takes what was measured")
	} else if other, _ := outcome(t, guessed); bytes.Equal(other[len(other)/2:], whole[len(whole)/2:]) {
		t.Error("the choices give the same bits: nothing below can fail")
	}

	memory := func(says string) string {
		for _, line := range strings.Split(says, "\n") {
			if f := strings.Fields(line); len(f) > 2 && f[0] == "memory" {
				return strings.Join(f[1:3], " ")
			}
		}
		return "none"
	}
	dry := c
	dry.DryRun = true
	if _, plans := run(dry, tune.Auto); memory(plans) != memory(says) {
		t.Errorf("a dry run plans %s, the run takes %s", memory(plans), memory(says))
	}

	c.Tune, c.Out = tune.Auto, filepath.Join(t.TempDir(), "parts")
	dir = train(t, c, true)
	remember(t, known, false)
	again := parse(t, "-resume", dir, "-device", c.Device)
	again.Tune = tune.Auto
	dir = train(t, again, true)
	t.Setenv("JITVK_CACHE", t.TempDir()) // with nothing in it
	again = parse(t, "-resume", dir, "-device", c.Device)
	again.Tune = tune.Auto
	dir = train(t, again, false)
	if parts, log := outcome(t, dir); log != wholeLog || !bytes.Equal(parts, whole) {
		t.Errorf("with stops:\n%s\nwithout:\n%s", log, wholeLog)
	}
}

// TestChoicesOfOtherRuns: a checkpoint from before there were choices goes on by guesses, as it began; one from another device
// is a new run to this one; and nonsense is refused in one line.
func TestChoicesOfOtherRuns(t *testing.T) {
	device := kerneltest.Device(t)
	t.Setenv("JITVK_CACHE", t.TempDir())
	c := small(t)
	c.Data, c.Out, c.Steps = pictures(t, 10), filepath.Join(t.TempDir(), "run"), 3
	dir := train(t, c, false)
	path := filepath.Join(dir, run.CheckpointName)
	f, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	meta, tensors := maps.Clone(f.Meta), []checkpoint.Tensor{}
	for _, name := range f.Names() {
		x, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, x)
	}
	f.Close()
	ours, theirs := `{"device":"`+device.Info().Key()+`","ways":{"a":"by b"}}`, `{"device":"theirs","ways":{"a":"by b"}}`
	for text, want := range map[string]tune.Mode{"": tune.Off, ours: tune.Auto, theirs: tune.Auto, "{": "refused",
		`{"device":3}`: "refused"} {
		if meta["choices"] = text; text == "" {
			delete(meta, "choices")
		}
		if err := checkpoint.Save(path, meta, tensors); err != nil {
			t.Fatal(err)
		}
		c, err := run.Parse([]string{"-resume", dir, "-steps", "5"})
		if want == "refused" {
			if err == nil || !strings.Contains(err.Error(), "choices") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		c.Device, c.DryRun = os.Getenv("JITVK_DEVICE"), true
		plan, err := open(context.Background(), c, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		chosen := engine.NewProgram(plan, "choice").Choose("a", []string{"guess", "by b"})
		if c.Tune != want || (chosen == 1) != (text == ours) {
			t.Errorf("%s: measures %q, %q wanted; takes choice %d", text, c.Tune, want, chosen)
		}
	}
	if _, err := run.Parse([]string{"-resume", dir, "-steps", "5", "-tune", "off"}); err == nil ||
		!strings.Contains(err.Error(), "leave out -tune") {
		t.Errorf("-tune: %v", err)
	}
	for args, want := range map[string]tune.Mode{"-preset quick": tune.Auto, "-preset quick -tune off": tune.Off,
		"-preset quick -tune again": tune.Again} {
		if c, err := run.Parse(strings.Fields(args)); err != nil || c.Tune != want {
			t.Errorf("%s: %q, %v", args, c.Tune, err)
		}
	}
	if _, err := run.Parse([]string{"-tune", "on"}); err == nil || !strings.Contains(err.Error(), "auto, off or again") {
		t.Errorf("-tune on: %v", err)
	}
}
