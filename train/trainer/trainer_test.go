// SPDX-License-Identifier: MIT

package trainer

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/model/checkpoint"
	"jitvk/model/report"
	"jitvk/model/run"
	"jitvk/model/sampler"
	"jitvk/train/dataset"
	"jitvk/train/faces"
)

func TestMain(m *testing.M) { kerneltest.Main(m) }

// small is a configuration that trains in seconds on a CPU driver.
func small(t testing.TB) run.Config {
	t.Helper()
	return parse(t, "-preset", "quick", "-stride", "8", "-dim", "64", "-depth", "2", "-heads", "1", "-batch", "8", "-steps", "12",
		"-warmup", "5")
}

// portraits packs n built-in faces.
func portraits(n, size int) []byte {
	var out []byte
	for i := range n {
		img, _ := faces.Draw(3, i, size)
		for p := 0; p < len(img.Pix); p += 4 {
			out = append(out, img.Pix[p:p+3]...)
		}
	}
	return out
}

// TestOverfit trains on four pictures until the network knows them by heart: the loss falls below 5 % of its start, and
// every sample is one of the four. Without the whole sweep the pictures have a quarter of the pixels and the network half the width:
// it ends at 8 % of the loss, and its samples are as near.
func TestOverfit(t *testing.T) {
	dev := kerneltest.Device(t)
	size, falls := "-size 12 -dim 64 -heads 1 -batch 16", 0.1
	if kerneltest.All() {
		size, falls = "-size 24 -batch 32", 0.05
	}
	c, err := run.Parse(strings.Fields("-preset quick -patch 6 -stride 6 -depth 2 -steps 1000 -lr 3e-3 -ema 0 -flip=false " + size))
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewState(dev, c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	side := c.Model.Size
	four := portraits(4, side)
	batch := given{bytes.Repeat(four, c.Batch/4), nil, 1}
	var first, last float64
	for i := range c.Steps {
		p, err := s.Step(batch)
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if i < 1 {
			first = float64(r.Loss)
		}
		if i >= c.Steps-50 {
			last += float64(r.Loss) / 50
		}
	}
	t.Logf("loss %.4f at the start, %.4f over the last 50 steps: %.2f %%", first, last, 100*last/first)
	if !(last < falls*first) {
		t.Errorf("the loss fell from %.4f to %.4f only", first, last)
	}
	sam, err := sampler.New(dev, s.m, s.weights, 8, kernels.FP32)
	if err != nil {
		t.Fatal(err)
	}
	defer sam.Close()
	got, err := sam.Sample(context.Background(), sampler.Options{N: 8, Steps: 30, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	n := 3 * side * side
	found := map[int]bool{}
	for i := range 8 {
		best, which := math.Inf(1), -1
		for j := range 4 {
			sum := 0.0
			for k := range n {
				c, y, x := k/(side*side), k/side%side, k%side
				want := float64(four[((j*side+y)*side+x)*3+c])*2/255 - 1
				sum += (float64(got[i*n+k]) - want) * (float64(got[i*n+k]) - want)
			}
			if rms := math.Sqrt(sum / float64(n)); rms < best {
				best, which = rms, j
			}
		}
		t.Logf("sample %d is picture %d, off by %.3f rms of a range of 2", i, which, best)
		if best > 0.15 {
			t.Errorf("sample %d is none of the four pictures: the nearest, %d, is off by %.3f rms", i, which, best)
		}
		found[which] = true
	}
	if len(found) < 2 {
		t.Errorf("all samples are one picture")
	}
}

// TestSameSeedSameBits runs the whole program twice, on a folder and on a .zip of it, and compares the loss column and the
// checkpoint.
func TestSameSeedSameBits(t *testing.T) {
	kerneltest.Device(t)
	t.Setenv("JITVK_CACHE", t.TempDir())
	data := pictures(t, 40)
	run := func(seed uint64) (string, []byte) {
		c := small(t)
		c.Data, c.Out, c.Seed = data, filepath.Join(t.TempDir(), "run"), seed
		dir, err := Run(context.Background(), c, new(bytes.Buffer))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"config.json", "loss.png", "samples.png"} {
			if s, err := os.Stat(filepath.Join(dir, name)); err != nil || s.Size() == 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
		ckpt, err := os.ReadFile(filepath.Join(dir, run.CheckpointName))
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(filepath.Join(dir, "log.csv"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rows, err := csv.NewReader(f).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var losses []string
		for _, r := range rows {
			losses = append(losses, strings.Join(r[:2], " "))
		}
		if len(losses) != c.Steps+1 {
			t.Fatalf("%d rows in log.csv for %d steps", len(losses), c.Steps)
		}
		return strings.Join(losses, "\n"), ckpt
	}
	l1, c1 := run(1)
	data = zipOf(t, data)
	l2, c2 := run(1)
	if l1 != l2 {
		t.Errorf("the loss columns differ:\n%s\n%s", l1, l2)
	}
	if !bytes.Equal(c1, c2) {
		t.Error("the checkpoints differ")
	}
	if l3, _ := run(2); l3 == l1 {
		t.Error("another seed gave the same losses")
	}
}

// pictures writes n portraits as PNG files into a folder.
func pictures(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		img, _ := faces.Draw(9, i, 32)
		writePNG(t, filepath.Join(dir, string(rune('a'+i/10))+string(rune('0'+i%10))+".png"), img)
	}
	return dir
}

// zipOf packs a folder of files into a .zip.
func zipOf(t testing.TB, folder string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pictures.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := zip.NewWriter(f)
	if err := w.AddFS(os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDryRunOfAnyPreset asks for the largest preset, which no CPU driver grants: its parameters are printed all the same.
func TestDryRunOfAnyPreset(t *testing.T) {
	kerneltest.Device(t)
	c, err := run.Parse([]string{"-preset", "jit-h16", "-dry-run"})
	if err != nil {
		t.Fatal(err)
	}
	out := new(bytes.Buffer)
	if _, err := Run(context.Background(), c, out); err != nil || !strings.Contains(out.String(), "952,514,368") {
		t.Errorf("error %v, output:\n%s", err, out)
	}
}

// TestDryRunOfLargeBatches: batches whose tensors no binding holds in one piece are planned, and so are steps whose pictures no host
// could hold at once; what no memory holds is said.
func TestDryRunOfLargeBatches(t *testing.T) {
	kerneltest.Device(t)
	for args, says := range map[string]string{
		"-preset quick -batch 8192":                 "planned on the device",
		"-preset quick -batch 8192 -norm derf":      "planned on the device",
		"-preset jit-quick -batch 8192":             "planned on the device",
		"-preset quick -batch 64 -accumulate 65535": "in 65535 batches of 64",
		"-preset quick -batch 65535":                "too much",
	} {
		c, err := run.Parse(append(strings.Fields(args), "-dry-run"))
		if err != nil {
			t.Fatal(err)
		}
		out := new(bytes.Buffer)
		if _, err := Run(context.Background(), c, out); err != nil || !strings.Contains(out.String(), says) {
			t.Errorf("%s: error %v; no %q in\n%s", args, err, says, out)
		}
	}
}

// TestDryRunSaysAStep: a dry run counts what a step replays, each batch of an accumulated one.
func TestDryRunSaysAStep(t *testing.T) {
	c := small(t)
	for _, c.Accumulate = range []int{1, 3} {
		s := dryState(t, c)
		h := &report.Header{}
		addPlan(h, s)
		plan := s.program.Plan()
		commands, barriers := c.Accumulate*len(plan.Commands), c.Accumulate*plan.Barriers
		if s.update != nil {
			commands, barriers = commands+len(s.update.Plan().Commands), barriers+s.update.Plan().Barriers
		}
		want := fmt.Sprintf("%d commands, %d barriers; at 100 TFLOP/s %d submissions", commands, barriers, c.Accumulate+len(s.programs())-1)
		if says := h.String(); !strings.Contains(says, want) || strings.Contains(says, " 0 B") {
			t.Errorf("%q is not in\n%s", want, says)
		}
	}
}

// dryState is a run's state on a device that only plans.
func dryState(t *testing.T, c run.Config) *State {
	t.Helper()
	plan, err := engine.Open(engine.Options{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewState(plan, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// TestDryRunIsExact compares what a dry run plans with what a run takes.
func TestDryRunIsExact(t *testing.T) {
	dev := kerneltest.Device(t)
	for _, change := range []func(c *run.Config){func(*run.Config) {}, func(c *run.Config) { c.Accumulate = 3 },
		func(c *run.Config) { c.CheckpointBlocks = true }} {
		c := small(t)
		change(&c)
		plan, err := engine.Open(engine.Options{DryRun: true, Select: os.Getenv("JITVK_DEVICE")})
		if err != nil {
			t.Fatal(err)
		}
		defer plan.Close()
		a, err := NewState(plan, c)
		if err != nil {
			t.Fatal(err)
		}
		base := dev.Stats().Bytes
		b, err := NewState(dev, c)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if got, want := dev.Stats().Bytes-base, plan.Stats().Bytes; got != want || want == 0 {
			t.Errorf("a run takes %d bytes, the dry run planned %d", got, want)
		}
		if a.FLOPs() != b.FLOPs() {
			t.Errorf("operations: %g planned, %g real", a.FLOPs(), b.FLOPs())
		}
		// A step is three forward passes' worth of work: forward, gradients of inputs, gradients of weights.
		passes := 3.0
		if c.CheckpointBlocks {
			passes = 4
		}
		if r := b.FLOPs() / (2 * passes * c.Model.ForwardMACs() * float64(c.Images())); r < 0.95 || r > 1.25 {
			t.Errorf("a step is %.2f times %g forward passes", r, passes)
		}
	}
}

func TestInterruptSavesEverything(t *testing.T) {
	kerneltest.Device(t)
	t.Setenv("JITVK_CACHE", t.TempDir())
	c := small(t)
	c.Data, c.Out, c.Steps = pictures(t, 10), filepath.Join(t.TempDir(), "run"), 100000
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := &interrupter{cancel: cancel}
	dir, err := Run(ctx, c, out)
	if err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open(filepath.Join(dir, run.CheckpointName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	meta, err := run.Load(f)
	if diff := cmp.Diff(c.Model, meta.Config.Model); err != nil || diff != "" {
		t.Errorf("the checkpoint's model is another (-want +got, %v):\n%s", err, diff)
	}
	if f.Meta["step"] == "" || f.Meta["step"] == "0" || !strings.Contains(out.text.String(), "interrupted at step "+f.Meta["step"]) {
		t.Errorf("checkpoint of step %q; output:\n%s", f.Meta["step"], out.text.String())
	}
}

func TestRunRefusesBadInput(t *testing.T) {
	kerneltest.Device(t)
	t.Setenv("JITVK_CACHE", t.TempDir())
	empty := t.TempDir()
	used := t.TempDir()
	if err := os.WriteFile(filepath.Join(used, "log.csv"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(used, "log.csv")
	for name, test := range map[string]struct {
		change func(*run.Config)
		says   string
	}{
		"a path that is not there": {func(c *run.Config) { c.Data = "/nowhere/at/all" }, "/nowhere/at/all"},
		"an empty folder":          {func(c *run.Config) { c.Data = empty }, empty},
		"a folder with a run":      {func(c *run.Config) { c.Data, c.Out = pictures(t, 2), used }, "already holds a run"},
		"a file as the folder":     {func(c *run.Config) { c.Data, c.Out = pictures(t, 2), file }, "is a file"},
		// cli says what to do,
		"more than the machine": {func(c *run.Config) { c.Data, c.Model.Depth, c.Batch = pictures(t, 2), 1000, 8192 }, "the run needs "},
		"a device that is not":  {func(c *run.Config) { c.Device = "voodoo" }, "voodoo"},
	} {
		c := small(t)
		c.Out = filepath.Join(t.TempDir(), "run")
		test.change(&c)
		_, err := Run(context.Background(), c, new(bytes.Buffer))
		if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v does not say %q in one line", name, err, test.says)
		}
		if _, err := os.Stat(c.Out); err == nil && c.Out != used && c.Out != file {
			t.Errorf("%s: %s was left behind", name, c.Out)
		}
	}
}

func writePNG(t testing.TB, path string, img image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestDivergenceKeepsTheCheckpoint makes a weight NaN behind the trainer's back after the first checkpoint.
func TestDivergenceKeepsTheCheckpoint(t *testing.T) {
	dev := kerneltest.Device(t)
	c := small(t)
	s, samples, err := build(dev, c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	defer samples.Close()
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, run.CheckpointName)
	if err := errors.Join(s.save(path), s.draw(context.Background(), samples, dir, nil, 0)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Upload(s.weights.Ranges()[0].Sub(0, 4), []byte{0, 0, 0xc0, 0x7f}); err != nil {
		t.Fatal(err)
	}
	data, err := dataset.Open(context.Background(), pictures(t, 3), dataset.Options{Size: c.Model.Size, NoCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	err = loop(context.Background(), time.Now(), s, data, samples, dir, new(bytes.Buffer))
	if err == nil || !strings.Contains(err.Error(), "NaN") || !strings.Contains(err.Error(), "-lr") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the checkpoint was written over: %v", err)
	}
}

// brokenScreen takes the header and then nothing more.
type brokenScreen struct{ writes int }

func (b *brokenScreen) Write(p []byte) (int, error) {
	if b.writes++; b.writes > 1 {
		return 0, errors.New("the screen is gone")
	}
	return len(p), nil
}

func TestBrokenScreenCostsNoResults(t *testing.T) {
	kerneltest.Device(t)
	t.Setenv("JITVK_CACHE", t.TempDir())
	c := small(t)
	c.Data, c.Out, c.Steps = pictures(t, 3), filepath.Join(t.TempDir(), "run"), 2
	if _, err := Run(context.Background(), c, new(brokenScreen)); err == nil || !strings.Contains(err.Error(), "screen") {
		t.Errorf("error %v", err)
	}
	for _, name := range []string{run.CheckpointName, "loss.png", "samples.png"} {
		if _, err := os.Stat(filepath.Join(c.Out, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestSkippedPicturesAreNamed, also when the pictures come from the cache.
func TestSkippedPicturesAreNamed(t *testing.T) {
	kerneltest.Device(t)
	t.Setenv("JITVK_CACHE", t.TempDir())
	data := pictures(t, 2)
	if err := os.WriteFile(filepath.Join(data, "broken.jpg"), []byte("no picture"), 0o666); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c := small(t)
		c.Data, c.Out, c.Steps = data, filepath.Join(t.TempDir(), "run"), 1
		out := new(bytes.Buffer)
		if _, err := Run(context.Background(), c, out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "2 pictures, 1 skipped (broken.jpg: ") {
			t.Errorf("output:\n%s", out)
		}
	}
}

// TestLabelsOfPortraits labels the built-in portraits and asks each class of their own description.
func TestLabelsOfPortraits(t *testing.T) {
	t.Setenv("JITVK_CACHE", t.TempDir())
	c := run.Config{Labels: "Expression, Hat"}
	c.Model.Size = 8
	data, err := openData(context.Background(), c, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	sum := 0
	for _, class := range data.Report.Classes {
		sum += class.Pictures
	}
	if sum != builtinFaces || data.Len() != builtinFaces {
		t.Errorf("the classes hold %d of %d portraits", sum, data.Len())
	}
	classes := data.Classes()
	if len(classes) != 30 || classes[0] != "neutral, no Hat" || classes[29] != "surprised, crown" {
		t.Errorf("classes %q", classes)
	}
	for i := range 300 {
		a := faces.Describe(builtinSeed, i)
		if want := int(a.Expression)*6 + int(a.Hat); data.Label(i) != want {
			t.Errorf("portrait %d, %v: class %s", i, a, classes[data.Label(i)])
		}
	}
	t.Log(data.Report)
	if c = c.WithClasses(classes); c.Model.Classes != 30 || len(c.ClassNames) != 30 {
		t.Errorf("%d classes in the model, %d names", c.Model.Classes, len(c.ClassNames))
	}

	c.Labels = "Lashes,EyesClosed"
	two, err := openData(context.Background(), c, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	if got := strings.Join(two.Classes(),
		"; "); got != "not Lashes, not EyesClosed; not Lashes, EyesClosed; Lashes, not EyesClosed; Lashes, EyesClosed" {
		t.Errorf("classes %s", got)
	}
	t.Log(two.Report)

	c.Labels = "Hair,Hat" // some styles are never drawn under a hat
	some, err := openData(context.Background(), c, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	defer some.Close()
	if n := len(some.Classes()); n+len(some.Report.Absent) != 72 || n >= 72 ||
		!strings.Contains(some.Report.String(), "without a picture left out (side-part, cap; ") {
		t.Errorf("%d classes: %s", n, some.Report)
	}
	t.Log(some.Report)

	for labels, says := range map[string]string{"Hats": `"Hats": choose from Hat,`, "Hat,": `no attribute ""`,
		"folders": `no attribute "folders"`} {
		c.Labels = labels
		if _, err := openData(context.Background(), c, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, want it to say %q", labels, err, says)
		}
	}
	if c.Labels = ""; c.Attributes() != nil || c.WithClasses(nil).Model.Classes != c.Model.Classes {
		t.Error("without labels there are classes")
	}
}

// TestClassesAreLearned: the embedding of a class moves if a picture of it was seen, and not before. (The first steps move nothing
// but what comes after it: the network begins with zeros.)
func TestClassesAreLearned(t *testing.T) {
	c := parse(t, "-preset", "jit-quick", "-labels", "Hat", "-batch", "8", "-steps", "6", "-warmup", "0", "-out",
		filepath.Join(t.TempDir(), "run"))
	kerneltest.Device(t)
	dir, err := Run(context.Background(), c, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open(filepath.Join(dir, run.CheckpointName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const table = "y_embedder.embedding_table.weight"
	moment, err := f.Float32("adam.v/" + table)
	if err != nil {
		t.Fatal(err)
	}
	data, err := openData(context.Background(), c, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	classes, seen := len(data.Classes()), map[int]bool{}
	labels := make([]uint32, c.Batch)
	for step := range c.Steps {
		data.Labels(labels, dataset.Order{N: data.Len(), Seed: c.Seed}, int64(step), c.Batch)
		for _, class := range labels {
			seen[int(class)] = true
		}
	}
	learned := 0
	for class := range classes {
		moved := slices.ContainsFunc(moment[class*c.Model.Dim:(class+1)*c.Model.Dim], func(v float32) bool { return v != 0 })
		if moved && !seen[class] {
			t.Errorf("class %d was not seen and moved", class)
		}
		if moved {
			learned++
		}
	}
	if learned < len(seen)-1 { // a label may have been dropped
		t.Errorf("%d classes were seen, %d learned", len(seen), learned)
	}
}

// TestDryRunCountsClasses: what a dry run says of a model with labels is what training with them says.
func TestDryRunCountsClasses(t *testing.T) {
	kerneltest.Device(t)
	lines := func(args ...string) (out []string) {
		c := parse(t, append([]string{"-preset", "jit-quick", "-labels", "Expression", "-batch", "2", "-steps", "1"}, args...)...)
		var b bytes.Buffer
		if _, err := Run(context.Background(), c, &b); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(b.String(), "\n") {
			if f := strings.Fields(line); len(f) > 2 && (f[0] == "parameters" || f[0] == "memory") || len(f) == 2 && f[0] == "parameters" {
				out = append(out, strings.Join(f[:min(len(f), 3)], " "))
			}
		}
		return out
	}
	planned, real := lines("-dry-run"), lines("-out", filepath.Join(t.TempDir(), "run"))
	if len(planned) != 2 || !slices.Equal(planned, real) {
		t.Errorf("planned %q, training says %q", planned, real)
	}
}

func TestGridEvery(t *testing.T) {
	for _, test := range []struct{ steps, batch, pictures, every int }{{2000, 32, 32, 200}, {20, 32, 4, 2}, {1, 65535, 32, 1},
		{100, 1, 1, 13}, {3, 1, 1, 13}} {
		c := run.Config{Recipe: run.Recipe{Steps: test.steps, Batch: test.batch, Accumulate: 1}}
		if gridSize(c) != test.pictures || gridEvery(c) != test.every {
			t.Errorf("%d steps of %d: %d pictures every %d steps, want %d every %d", test.steps, test.batch, gridSize(c), gridEvery(c),
				test.pictures, test.every)
		}
	}
	// three times its pictures are more than an int holds
	huge := run.Config{Recipe: run.Recipe{Steps: math.MaxInt32, Batch: 65535, Accumulate: 30000}}
	if gridSize(huge) != gridPictures {
		t.Errorf("the largest run draws %d pictures, want %d", gridSize(huge), gridPictures)
	}
}
