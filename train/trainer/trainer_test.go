// SPDX-License-Identifier: MIT

package trainer

import (
	"bytes"
	"context"
	"encoding/csv"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jitvk/engine"
	"jitvk/kernels/kerneltest"
	"jitvk/sample/sampler"
	"jitvk/train/checkpoint"
	"jitvk/train/faces"
)

func TestMain(m *testing.M) { kerneltest.Main(m) }

// small is a configuration that trains in seconds on a CPU driver.
func small(t testing.TB) Config {
	t.Helper()
	c, err := Parse([]string{"-preset", "quick", "-dim", "64", "-depth", "2", "-heads", "1", "-batch", "8", "-steps", "12", "-warmup", "5"})
	if err != nil {
		t.Fatal(err)
	}
	return c
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
// every sample is one of the four.
func TestOverfit(t *testing.T) {
	dev := kerneltest.Device(t)
	c := small(t)
	c.Steps, c.LR, c.EMA, c.Flip, c.Decay = 600, 2e-3, 0, false, 0.5
	s, err := NewState(dev, c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	size := c.Model.Size
	four := portraits(4, size)
	batch := append(append([]byte{}, four...), four...)
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
	if !(last < 0.05*first) {
		t.Errorf("the loss fell from %.4f to %.4f only", first, last)
	}
	sam, err := sampler.New(dev, s.m, s.weights, 8)
	if err != nil {
		t.Fatal(err)
	}
	defer sam.Close()
	got, err := sam.Sample(context.Background(), sampler.Options{N: 8, Steps: 30, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	n := 3 * size * size
	found := map[int]bool{}
	for i := range 8 {
		best, which := math.Inf(1), -1
		for j := range 4 {
			sum := 0.0
			for k := range n {
				c, y, x := k/(size*size), k/size%size, k%size
				want := float64(four[((j*size+y)*size+x)*3+c])*2/255 - 1
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

// TestSameSeedSameBits runs the whole program twice and compares the loss column and the checkpoint.
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
		ckpt, err := os.ReadFile(filepath.Join(dir, CheckpointName))
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

// TestDryRunIsExact compares what a dry run plans with what a run takes.
func TestDryRunIsExact(t *testing.T) {
	dev := kerneltest.Device(t)
	c := small(t)
	plan, err := engine.Open(engine.Options{DryRun: true, Select: os.Getenv("JITVK_DEVICE")})
	if err != nil {
		t.Fatal(err)
	}
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
	if a.program.FLOPs() != b.program.FLOPs() {
		t.Errorf("operations: %g planned, %g real", a.program.FLOPs(), b.program.FLOPs())
	}
	// A step is three forward passes' worth of work: forward, gradients of inputs, gradients of weights.
	if r := b.program.FLOPs() / (6 * c.Model.ForwardMACs() * float64(c.Batch)); r < 0.95 || r > 1.25 {
		t.Errorf("a step is %.2f times three forward passes", r)
	}
}

func TestInterruptSavesEverything(t *testing.T) {
	kerneltest.Device(t)
	t.Setenv("JITVK_CACHE", t.TempDir())
	c := small(t)
	c.Data, c.Out, c.Steps = pictures(t, 10), filepath.Join(t.TempDir(), "run"), 100000
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	out := new(bytes.Buffer)
	dir, err := Run(ctx, c, out)
	if err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open(filepath.Join(dir, CheckpointName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Meta["step"] == "" || f.Meta["step"] == "0" || !strings.Contains(out.String(), "interrupted at step "+f.Meta["step"]) {
		t.Errorf("checkpoint of step %q; output:\n%s", f.Meta["step"], out.String())
	}
}

func TestParseRefusesTheImpossible(t *testing.T) {
	for args, says := range map[string][]string{
		"-preset huge":                  {"huge", "blog256"},
		"-preset quick -stride 5":       {"-stride 5", "8"},
		"-preset quick -heads 3":        {"-heads 3", "1, 2, 4"},
		"-preset quick -batch 0":        {"-batch 0"},
		"-preset quick -steps -1":       {"-steps -1"},
		"-preset quick -lr 0":           {"-lr 0"},
		"-preset quick -lr NaN":         {"-lr NaN"},
		"-preset quick -ema 1":          {"-ema 1"},
		"-preset quick -size 33":        {"33"},
		"-preset quick -patch 7":        {"7"},
		"-preset quick -batch many":     {"many", "-batch"},
		"-preset quick -unknown 1":      {"-unknown"},
		"-preset quick extra":           {"extra"},
		"-preset quick -batch 99999999": {"-batch 99999999"},
	} {
		_, err := Parse(strings.Fields(args))
		for _, s := range says {
			if err == nil || !strings.Contains(err.Error(), s) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v does not say %q in one line", args, err, s)
			}
		}
	}
	c, err := Parse([]string{"-preset", "quick", "-patch", "4", "-dim", "96", "-heads", "3"})
	if err != nil || c.Model.Stride != 4 || c.Model.Hidden%8 != 0 || c.Model.Hidden < 2*96 {
		t.Errorf("%+v, %v", c.Model, err)
	}
}

func TestScheduleOfTheLearningRate(t *testing.T) {
	c := Config{Steps: 1000, LR: 2, Warmup: 100, Decay: 0.5}
	for step, want := range map[int]float64{0: 0.02, 99: 2, 300: 2, 500: 2, 750: 1} {
		if got := c.lr(step); math.Abs(got-want) > 1e-9 {
			t.Errorf("step %d: %g, want %g", step, got, want)
		}
	}
	if got := c.lr(999); !(got > 0 && got < 0.001) {
		t.Errorf("last step: %g", got)
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
	for name, test := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"a path that is not there": {func(c *Config) { c.Data = "/nowhere/at/all" }, "/nowhere/at/all"},
		"an empty folder":          {func(c *Config) { c.Data = empty }, empty},
		"a folder with a run":      {func(c *Config) { c.Data, c.Out = pictures(t, 2), used }, "already holds a run"},
		"a device that is not":     {func(c *Config) { c.Device = "voodoo" }, "voodoo"},
	} {
		c := small(t)
		c.Out = filepath.Join(t.TempDir(), "run")
		test.change(&c)
		_, err := Run(context.Background(), c, new(bytes.Buffer))
		if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v does not say %q in one line", name, err, test.says)
		}
		if _, err := os.Stat(c.Out); err == nil && c.Out != used {
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
