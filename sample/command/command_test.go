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
	"strconv"
	"strings"
	"testing"

	"jitvk/kernels/kerneltest"
	"jitvk/kernels/tune"
	"jitvk/model/checkpoint"
	"jitvk/model/run"
)

func TestMain(m *testing.M) { kerneltest.Main(m) }

// save writes the checkpoint of a small untrained model, with change made to its configuration and its tensors.
func save(t *testing.T, path string, change func(meta map[string]string, c *run.Config, tensors []checkpoint.Tensor) []checkpoint.Tensor) {
	t.Helper()
	preset, err := run.Preset("quick")
	if err != nil {
		t.Fatal(err)
	}
	c := run.Config{Model: preset.Model}
	c.Model.Size, c.Model.Patch, c.Model.Stride, c.Model.Dim, c.Model.Depth, c.Model.Heads, c.Model.Hidden = 16, 8, 8, 32, 2, 2, 40
	c.Model.ZeroOutput = false
	var tensors []checkpoint.Tensor
	values := c.Model.Init(1)
	for _, p := range c.Model.Params() {
		tensors = append(tensors, checkpoint.F32(p.Name, values[p.Name], p.Shape...),
			checkpoint.F32("ema/"+p.Name, values[p.Name], p.Shape...))
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

// classed turns the model into the paper's, with three classes, whose last layers are not zero.
func classed(_ map[string]string, c *run.Config, _ []checkpoint.Tensor) []checkpoint.Tensor {
	preset, err := run.Preset("jit-quick")
	if err != nil {
		panic(err)
	}
	m := preset.Model
	m.Size, m.Patch, m.Stride, m.Dim, m.Depth, m.Heads, m.Hidden, m.Bottleneck, m.Classes = 16, 8, 8, 32, 2, 2, 40, 8, 3
	c.Model, c.ClassNames = m, []string{"not Smiling, Male", "Smiling, Male", "Hat"}
	rnd := kerneltest.NewRand(5)
	var tensors []checkpoint.Tensor
	for _, prefix := range []string{"", "ema/"} {
		for _, p := range m.Params() {
			v := rnd.Normal(p.Len())
			for i := range v {
				v[i] *= 0.2
			}
			tensors = append(tensors, checkpoint.F32(prefix+p.Name, v, p.Shape...))
		}
	}
	return tensors
}

// draw runs the program with arguments as a user types them.
func draw(args ...string) (string, error) { return drawWith(context.Background(), args...) }

func drawWith(ctx context.Context, args ...string) (string, error) {
	c, err := Parse(args)
	if err != nil {
		return "", err
	}
	c.Tune = tune.Off // what is measured differs from run to run
	if c.Device == "" {
		c.Device = os.Getenv("JITVK_DEVICE")
	}
	var out bytes.Buffer
	err = Run(ctx, c, &out)
	return out.String(), err
}

// trajectory reads z (points, pictures, …) of the file that -trajectory wrote.
func trajectory(t *testing.T, path string, shape ...int) []float32 {
	t.Helper()
	f, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := f.Float32("z", shape...)
	if err != nil {
		t.Fatal(err)
	}
	return z
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

// TestClassesAndGuidance draws classes down and guidance across: each picture has its place, its noise is that of its number
// alone, and it is the picture that is drawn when nothing else is.
func TestClassesAndGuidance(t *testing.T) {
	kerneltest.Device(t)
	dir := t.TempDir()
	path, png, file := filepath.Join(dir, "c.safetensors"), filepath.Join(dir, "g.png"), filepath.Join(dir, "t.safetensors")
	save(t, path, classed)
	const points, picture = 4, 3 * 16 * 16
	z := func(pictures int, args ...string) []float32 {
		t.Helper()
		out, err := draw(append([]string{"-checkpoint", path, "-steps", "3", "-out", png, "-trajectory", file}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out, "3 Heun steps (5 evaluations") {
			t.Errorf("output:\n%s", out)
		}
		return trajectory(t, file, points, pictures, 3, 16, 16)
	}
	of := func(z []float32, pictures, point, i int) []float32 { return z[(point*pictures+i)*picture:][:picture] }
	all := z(12, "-class", "all", "-guidance", "1,3", "-n", "2")
	for i := range 12 {
		if !slices.Equal(of(all, 12, 0, i), of(all, 12, 0, i%2)) {
			t.Errorf("picture %d begins with other noise than picture %d", i, i%2)
		}
		for j := range i {
			if slices.Equal(of(all, 12, points-1, i), of(all, 12, points-1, j)) {
				t.Errorf("pictures %d and %d are the same", j, i)
			}
		}
	}
	one := z(2, "-class", "smiling,male", "-guidance", "3", "-n", "2") // the second row's right half
	for i := range 2 {
		if !slices.Equal(of(one, 2, points-1, i), of(all, 12, points-1, 6+i)) {
			t.Errorf("picture %d of the class alone is another than in the grid", i)
		}
	}
	two := z(16, "-class", "2", "-class", "none")
	for i := range 2 {
		if !slices.Equal(of(two, 16, points-1, i), of(all, 12, points-1, 8+i)) {
			t.Errorf("picture %d of class 2 is another by its number", i)
		}
	}
	if none := z(2, "-n", "2"); !slices.Equal(of(none, 2, points-1, 0), of(two, 16, points-1, 8)) {
		t.Error("without -class it is not the class none that is drawn")
	}
	known := "0 to 2: not Smiling, Male; Smiling, Male; Hat"
	for class, says := range map[string]string{"Beard": known, "3": "-class \"3\"", "-1": "-class \"-1\"",
		"smilng,Male": "did you mean \"Smiling, Male\"? There are 0 to 2"} {
		_, err := draw("-checkpoint", path, "-class", class)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "c.safetensors") {
			t.Errorf("class %s: %v does not say %q", class, err, says)
		}
	}
}

// TestWeightsAndEnd: the average where there is one, the raw weights where they are asked for; the image or z.
func TestWeightsAndEnd(t *testing.T) {
	kerneltest.Device(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "c.safetensors")
	save(t, path, classed)
	read := func(says string, args ...string) []byte {
		t.Helper()
		out, err := draw(append([]string{"-checkpoint", path, "-steps", "2", "-n", "1", "-out", filepath.Join(dir, "g.png")}, args...)...)
		if err != nil || !strings.Contains(out, says) {
			t.Fatalf("%v does not say %q:\n%s", err, says, out)
		}
		b, err := os.ReadFile(filepath.Join(dir, "g.png"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	average := read("averaged weights")
	if !bytes.Equal(average, read("averaged weights", "-weights", "ema")) || bytes.Equal(average, read(", weights", "-weights", "raw")) {
		t.Error("the pictures of these weights are others")
	}
	// In one step z goes all the way to the image; in 40, past the clamp, it keeps some of its noise.
	if !bytes.Equal(read("", "-steps", "1"), read("", "-steps", "1", "-end", "z")) ||
		bytes.Equal(read("", "-steps", "40"), read("", "-steps", "40", "-end", "z")) {
		t.Error("the pictures of these ends are others")
	}
	if _, err := draw("-checkpoint", path, "-weights", "ema2"); err == nil || !strings.Contains(err.Error(), "ema2/") {
		t.Errorf("no second average: %v", err)
	}
}

// TestConvergence runs -convergence with few steps: a plot, a table, and errors that fall.
func TestConvergence(t *testing.T) {
	kerneltest.Device(t)
	defer func(n []int, r int) { convergenceSteps, referenceSteps = n, r }(convergenceSteps, referenceSteps)
	convergenceSteps, referenceSteps = []int{2, 4, 8}, 60
	dir := t.TempDir()
	path, plot := filepath.Join(dir, "c.safetensors"), filepath.Join(dir, "p.png")
	save(t, path, classed)
	out, err := draw("-checkpoint", path, "-convergence", plot, "-n", "3", "-class", "Hat", "-guidance", "2")
	if err != nil || !strings.Contains(out, "last order") || !strings.Contains(out, plot) {
		t.Fatalf("%v:\n%s", err, out)
	}
	batches, err := draw("-checkpoint", path, "-convergence", plot, "-n", "3", "-class", "Hat", "-guidance", "2", "-batch", "2")
	if err != nil || errorsOf(batches) != errorsOf(out) {
		t.Errorf("-batch 2: %v:\n%s\nand in one batch:\n%s", err, errorsOf(batches), errorsOf(out))
	}
	var first, last [2]float64
	for _, line := range strings.Split(out, "\n") {
		f := strings.Fields(line)
		if len(f) != 8 || f[0] != "4" && f[0] != "16" {
			continue
		}
		e, err1 := strconv.ParseFloat(f[2], 64)
		h, err2 := strconv.ParseFloat(f[3], 64)
		if err1 != nil || err2 != nil {
			t.Fatalf("line %q", line)
		}
		if f[0] == "4" {
			first = [2]float64{e, h}
		} else {
			last = [2]float64{e, h}
		}
	}
	if !(last[0] > 0 && last[0] < first[0] && last[1] > 0 && last[1] < first[1]) {
		t.Errorf("errors from %v to %v in\n%s", first, last, out)
	}
	r, err := os.Open(plot)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := png.Decode(r); err != nil {
		t.Error(err)
	}
}

// errorsOf is the table in what -convergence prints.
func errorsOf(out string) string {
	from, to := strings.Index(out, "errors "), strings.Index(out, "\nplot ")
	if from < 0 || to < from {
		return "no table in " + out
	}
	return out[from:to]
}

// TestInterrupted: what is interrupted leaves nothing behind and says so.
func TestInterrupted(t *testing.T) {
	kerneltest.Device(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "c.safetensors")
	save(t, path, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, args := range [][]string{{"-out", filepath.Join(dir, "g.png"), "-trajectory", filepath.Join(dir, "t")},
		{"-convergence", filepath.Join(dir, "p.png")}} {
		if _, err := drawWith(ctx, append(args, "-checkpoint", path, "-n", "1")...); !errors.Is(err, context.Canceled) {
			t.Errorf("%v: %v", args, err)
		}
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
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
		change func(meta map[string]string, c *run.Config, t tensors) tensors
		says   string
	}{
		"other software": {func(meta map[string]string, _ *run.Config, t tensors) tensors { meta["format"] = "pt"; return t },
			`format "pt"`},
		"wider":          {func(_ map[string]string, c *run.Config, t tensors) tensors { c.Model.Dim = 64; return t }, "expected (64,"},
		"fewer blocks":   {func(_ map[string]string, c *run.Config, t tensors) tensors { c.Model.Depth = 1; return t }, "blocks.1."},
		"more blocks":    {func(_ map[string]string, c *run.Config, t tensors) tensors { c.Model.Depth = 3; return t }, "blocks.2."},
		"endless blocks": {func(_ map[string]string, c *run.Config, t tensors) tensors { c.Model.Depth = math.MaxInt; return t }, "-depth"},
		"no such model":  {func(_ map[string]string, c *run.Config, t tensors) tensors { c.Model.Heads = 3; return t }, "-heads 3"},
		"tensor missing": {func(_ map[string]string, _ *run.Config, t tensors) tensors { return t[:len(t)-1] }, `"ema/out.weight"`},
		"NaN": {func(_ map[string]string, _ *run.Config, t tensors) tensors {
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
	refused(t, "a folder without a checkpoint", dir, "checkpoint.safetensors: file does not exist", "-checkpoint", dir)
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
		"-batch 0":                       "-batch 0",
		"-seed -1":                       "-seed",
		"more":                           `"more"`,
		"-device voodoo":                 "voodoo",
		"-out DIR":                       "choose another name",
		"-out DIR/no/x.png":              "create the folder",
		"-trajectory DIR/no/x":           "create the folder",
		"-out DIR/c.safetensors":         "written over",
		"-out DIR/x -trajectory DIR/./x": "written over",
		"-n 50000 -steps 100000 -trajectory DIR/x": "lower one",
		"-solver rk4":                              "euler or heun",
		"-end y":                                   "x or z",
		"-weights best":                            "ema, ema2 or raw",
		"-guidance 1,":                             "not a number",
		"-guidance NaN -class 1":                   "between -100 and 100",
		"-guidance 3":                              "-class all",
		"-interval 0,1":                            "-class all",
		"-interval 0.5 -class 1":                   "0.1,1",
		"-interval 0.5,0.5 -class 1":               "low < high",
		"-interval 0,2 -class 1":                   "low < high",
		"-class 1":                                 "knows no classes",
		"-convergence DIR/p.png -steps 3":          "leave out -steps",
		"-convergence DIR/p.png -out DIR/x.png":    "leave out -steps",
		"-convergence DIR/p.png -class 1 -class 2": "one -class",
		"-convergence DIR/no/p.png":                "create the folder",
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
	save(t, "runs/002-quick/"+run.CheckpointName, nil)
	save(t, "runs/010-tiny/"+run.CheckpointName, nil)
	if out, err := draw("-dry-run"); err != nil || !strings.Contains(out, "runs/010-tiny") {
		t.Errorf("%v:\n%s", err, out)
	}
	if err := os.Truncate("runs/010-tiny/"+run.CheckpointName, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := draw("-dry-run"); !errors.Is(err, checkpoint.ErrDamaged) || !strings.Contains(err.Error(), "010-tiny") {
		t.Errorf("damaged: %v", err)
	}
}
