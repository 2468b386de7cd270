// SPDX-License-Identifier: MIT

package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"jitvk/kernels/kerneltest"
	"jitvk/model"
	"jitvk/train/checkpoint"
	"jitvk/train/trainer"
)

func TestMain(m *testing.M) { kerneltest.Main(m) }

// save writes the checkpoint of a small untrained model, with change made to its configuration and its tensors.
func save(t *testing.T, path string, change func(meta map[string]string, c *trainer.Config, tensors []checkpoint.Tensor) []checkpoint.Tensor) {
	t.Helper()
	preset, err := model.Preset("quick")
	if err != nil {
		t.Fatal(err)
	}
	c := trainer.Config{Model: preset}
	c.Model.Size, c.Model.Patch, c.Model.Stride, c.Model.Dim, c.Model.Depth, c.Model.Heads, c.Model.Hidden = 16, 8, 8, 32, 2, 2, 40
	c.Model.ZeroOutput = false
	var tensors []checkpoint.Tensor
	values := c.Model.Init(1)
	for _, p := range c.Model.Params() {
		tensors = append(tensors, checkpoint.F32(p.Name, values[p.Name], p.Shape...), checkpoint.F32("ema/"+p.Name, values[p.Name], p.Shape...))
	}
	meta := map[string]string{"format": "jitvk 1", "step": "12"}
	if change != nil {
		tensors = change(meta, &c, tensors)
	}
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	meta["config"] = string(config)
	if err := checkpoint.Save(path, meta, tensors); err != nil {
		t.Fatal(err)
	}
}

// draw runs the program with arguments as a user types them.
func draw(args ...string) (string, error) {
	c, err := Parse(args)
	if err != nil {
		return "", err
	}
	if c.Device == "" {
		c.Device = os.Getenv("JITVK_DEVICE")
	}
	var out bytes.Buffer
	err = Run(context.Background(), c, &out)
	return out.String(), err
}

func TestGridAndTrajectory(t *testing.T) {
	kerneltest.Device(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "c.safetensors")
	save(t, path, nil)
	var files [][]byte
	for _, batch := range []string{"5", "2"} {
		out, err := draw("-checkpoint", path, "-n", "5", "-steps", "4", "-batch", batch, "-seed", "9", "-out", filepath.Join(dir, "g.png"),
			"-trajectory", filepath.Join(dir, "t.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out, "step 12, averaged weights") || !strings.Contains(out, "g.png") {
			t.Errorf("output:\n%s", out)
		}
		b, err := os.ReadFile(filepath.Join(dir, "t.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, b)
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the trajectory depends on -batch")
	}
	f, err := checkpoint.Open(filepath.Join(dir, "t.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tau, err := f.Float32("tau", 5)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(tau, []float32{0, 0.25, 0.5, 0.75, 1}) {
		t.Errorf("tau %v", tau)
	}
	z, err := f.Float32("z", 5, 5, 3, 16, 16)
	if err != nil {
		t.Fatal(err)
	}
	// At 1 - tau = dt the last step ends on the predicted image, which is what the grid shows.
	r, err := os.Open(filepath.Join(dir, "g.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	img, err := png.Decode(r)
	if err != nil {
		t.Fatal(err)
	}
	last := z[4*5*3*16*16:]
	for y := range 16 {
		for x := range 16 {
			got, _, _, _ := img.At(2+6*x, 2+6*y).RGBA() // 6 pixels for one, a gap of 2
			if want := min(max((float64(last[16*y+x])+1)/2*255, 0), 255); math.Abs(float64(got>>8)-want) > 0.6 {
				t.Fatalf("picture 0 at (%d,%d): %d in the grid, %g at the end of the trajectory", x, y, got>>8, want)
			}
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.tmp")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c.safetensors")
	save(t, path, nil)
	out, err := draw("-checkpoint", path, "-n", "4", "-dry-run")
	if err != nil || !strings.Contains(out, "nothing was allocated") {
		t.Errorf("%v:\n%s", err, out)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestBadCheckpoints(t *testing.T) {
	kerneltest.Device(t)
	type tensors = []checkpoint.Tensor
	for name, test := range map[string]struct {
		change func(meta map[string]string, c *trainer.Config, t tensors) tensors
		says   string
	}{
		"other software": {func(meta map[string]string, _ *trainer.Config, t tensors) tensors { meta["format"] = "pt"; return t }, `format "pt"`},
		"wider":          {func(_ map[string]string, c *trainer.Config, t tensors) tensors { c.Model.Dim = 64; return t }, "expected (64,"},
		"fewer blocks":   {func(_ map[string]string, c *trainer.Config, t tensors) tensors { c.Model.Depth = 1; return t }, "blocks.1."},
		"more blocks":    {func(_ map[string]string, c *trainer.Config, t tensors) tensors { c.Model.Depth = 3; return t }, "blocks.2."},
		"endless blocks": {func(_ map[string]string, c *trainer.Config, t tensors) tensors { c.Model.Depth = math.MaxInt; return t }, "-depth"},
		"no such model":  {func(_ map[string]string, c *trainer.Config, t tensors) tensors { c.Model.Heads = 3; return t }, "-heads 3"},
		"tensor missing": {func(_ map[string]string, _ *trainer.Config, t tensors) tensors { return t[:len(t)-1] }, `"ema/out.weight"`},
		"NaN": {func(_ map[string]string, _ *trainer.Config, t tensors) tensors {
			t[1] = checkpoint.F32(t[1].Name, slices.Repeat([]float32{float32(math.NaN())}, len(t[1].Data)/4), t[1].Shape...)
			return t
		}, "NaN"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "c.safetensors")
		save(t, path, test.change)
		refused(t, name, dir, test.says, "-checkpoint", path, "-n", "1")
		refused(t, name, dir, "c.safetensors", "-checkpoint", path, "-n", "1")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "c.safetensors")
	save(t, path, nil)
	if err := os.Truncate(path, 50000); err != nil {
		t.Fatal(err)
	}
	refused(t, "truncated", dir, "cut short", "-checkpoint", path)
	refused(t, "a folder", dir, "name the .safetensors file", "-checkpoint", dir)
}

// refused fails unless the program ends with one line that says says, and the folder holds one file as before.
func refused(t *testing.T, name, dir, says string, args ...string) {
	t.Helper()
	_, err := draw(args...)
	if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: %v does not say %q in one line", name, err, says)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("%s: the folder holds %v, %v", name, list, err)
	}
}

func TestBadArguments(t *testing.T) {
	kerneltest.Device(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "c.safetensors")
	save(t, path, nil)
	for args, says := range map[string]string{
		"-n 0":                           "-n 0",
		"-n 65537":                       "-n 65537",
		"-steps 0":                       "-steps 0",
		"-batch -1":                      "-batch -1",
		"-seed -1":                       "-seed",
		"more":                           `"more"`,
		"-device voodoo":                 "voodoo",
		"-out DIR":                       "choose another name",
		"-out DIR/no/x.png":              "create the folder",
		"-trajectory DIR/no/x":           "create the folder",
		"-out DIR/c.safetensors":         "written over",
		"-out DIR/x -trajectory DIR/./x": "written over",
		"-n 50000 -steps 100000 -trajectory DIR/x": "lower one",
	} {
		refused(t, args, dir, says, append([]string{"-checkpoint", path}, strings.Fields(strings.ReplaceAll(args, "DIR", dir))...)...)
	}
}

// TestMemoryIsBounded refuses more pictures than the host could hold, at a size where few are many.
func TestMemoryIsBounded(t *testing.T) {
	c := Config{N: 65536, Steps: 50, Guidance: []float64{1}, Out: "x.png", DryRun: true}
	if err := c.check("c.safetensors", 256, 1); err == nil || !strings.Contains(err.Error(), "-n 65536") {
		t.Errorf("%d pictures of 256 pixels: %v", c.N, err)
	}
	if c.N = 64; c.check("c.safetensors", 256, 1) != nil {
		t.Errorf("%d pictures of 256 pixels are refused", c.N)
	}
}

// TestNewest takes the newest run that has a checkpoint, and does not pass over one that is damaged.
func TestNewest(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := draw("-dry-run"); err == nil || !strings.Contains(err.Error(), "train first") {
		t.Errorf("no run: %v", err)
	}
	for _, dir := range []string{"runs/002-quick", "runs/010-tiny", "runs/011-killed-early"} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	save(t, "runs/002-quick/"+trainer.CheckpointName, nil)
	save(t, "runs/010-tiny/"+trainer.CheckpointName, nil)
	if out, err := draw("-dry-run"); err != nil || !strings.Contains(out, "runs/010-tiny") {
		t.Errorf("%v:\n%s", err, out)
	}
	if err := os.Truncate("runs/010-tiny/"+trainer.CheckpointName, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := draw("-dry-run"); !errors.Is(err, checkpoint.ErrDamaged) || !strings.Contains(err.Error(), "010-tiny") {
		t.Errorf("damaged: %v", err)
	}
}
