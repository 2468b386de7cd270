// SPDX-License-Identifier: MIT

// Package command is the program `go run ./sample`: it loads a checkpoint, draws pictures from it and writes them as one
// grid, classes down and guidance across where there are any, and their whole way from noise to image as a trajectory if
// asked to. Or it plots how the solvers' errors fall with their steps (convergence.go).
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"jitvk/engine"
	"jitvk/engine/files"
	"jitvk/kernels"
	"jitvk/kernels/tune"
	"jitvk/model"
	"jitvk/model/checkpoint"
	"jitvk/model/cli"
	"jitvk/model/grid"
	"jitvk/model/ode"
	"jitvk/model/report"
	"jitvk/model/run"
	"jitvk/model/sampler"
)

// Config is everything that `go run ./sample` can be told.
type Config struct {
	Checkpoint  string // "" is the newest run's
	Weights     string // "ema" or "ema2": an average, "raw": as the last step left them, "": ema where there is one
	N           int    // pictures, of each class with each guidance where there are classes; 0 lets pictures choose
	Steps       int    // solver steps
	Solver      sampler.Solver
	End         string // "x": show the image predicted last, "z": where the walk ends
	Seed        uint64
	Classes     []string  // names or numbers, "all" or "none"; a row of the grid each
	Guidance    []float64 // a column of the grid each
	Low, High   float64   // flow times between which there is guidance
	Batch       int       // pictures at once
	Out         string    // the grid; "" is samples-SEED.png beside the checkpoint
	Trajectory  string    // safetensors file for tau and z, or ""
	Convergence string    // PNG file for a plot of the solvers' errors instead of pictures, or ""
	Device      string
	Precision   string // of the operands of matrix products: "fp32", "fp16", "bf16" or "auto"
	DryRun      bool
	Tune        tune.Mode // what is measured to choose kernels; "" is Off
}

// Parse reads the command line.
func Parse(args []string) (Config, error) {
	fs := flag.NewFlagSet("sample", flag.ContinueOnError)
	c := Config{Solver: sampler.Heun, Guidance: []float64{1}, Low: 0.1, High: 1, Tune: tune.Auto}
	fs.StringVar(&c.Checkpoint, "checkpoint", "", "checkpoint to load (default that of the newest run)")
	fs.StringVar(&c.Weights, "weights", "", "ema (their running average), ema2 (a second one) or raw (as the last step left them) (default ema where the run kept it)")
	fs.IntVar(&c.N, "n", 0, "pictures; with -class, of each class with each guidance (default 64; with -class as many as make rows of 8)")
	fs.IntVar(&c.Steps, "steps", 50, "solver steps from noise to image")
	fs.Func("solver", "euler, or heun, which evaluates the network twice a step and errs far less for it (default heun)", func(s string) error {
		i := slices.Index([]string{"euler", "heun"}, strings.ToLower(s))
		if i < 0 {
			return errors.New("it is euler or heun")
		}
		c.Solver = sampler.Solver(i)
		return nil
	})
	fs.StringVar(&c.End, "end", "x", "show x, the image that the last step predicts, or z, where the walk ends: that keeps a little noise")
	fs.Uint64Var(&c.Seed, "seed", 1, "of the noise; picture i depends on the seed, i and its class alone")
	fs.Func("class", "class to draw, by name or number, or all, or none; repeat it for more, a row each", func(s string) error {
		c.Classes = append(c.Classes, s)
		return nil
	})
	fs.Func("guidance", "weights of classifier-free guidance towards -class, with commas between, a column each; 1 is none, 2 to 4 are usual (default 1)", func(s string) error {
		var err error
		c.Guidance, err = numbers(s)
		return err
	})
	fs.Func("interval", "low,high: flow times between which guidance holds (default 0.1,1)", func(s string) error {
		v, err := numbers(s)
		if err != nil || len(v) != 2 || !(v[0] >= 0 && v[0] < v[1] && v[1] <= 1) {
			return errors.New("two numbers are wanted, 0 <= low < high <= 1, such as 0.1,1")
		}
		c.Low, c.High = v[0], v[1]
		return nil
	})
	fs.IntVar(&c.Batch, "batch", 0, "pictures at once (default all of a class, at most 64)")
	fs.StringVar(&c.Out, "out", "", "PNG file for the grid (default beside the checkpoint)")
	fs.StringVar(&c.Trajectory, "trajectory", "", "safetensors file for tau (steps+1) and z (steps+1, n, 3, ImgH, ImgW), the initial noise first")
	fs.StringVar(&c.Convergence, "convergence", "", "draw no pictures but a plot into this PNG file: the error of both solvers by the number of their steps")
	fs.StringVar(&c.Device, "device", "", "index of the Vulkan device or part of its name")
	fs.StringVar(&c.Precision, "precision", "auto", "of the operands of matrix products: fp32, fp16, bf16, or auto: fp16 where a GPU has matrix units, else fp32")
	fs.Var(&c.Tune, "tune", tune.Usage)
	fs.BoolVar(&c.DryRun, "dry-run", false, "print what would be done and planned memory, then stop")
	if err := cli.Parse(fs, args); err != nil {
		return c, err
	}
	if _, err := kernels.ParsePrecision(c.Precision, engine.Info{}); err != nil {
		return c, fmt.Errorf("sample: -precision %w", err)
	}
	set := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	guided := slices.ContainsFunc(c.Guidance, func(w float64) bool { return w != 1 })
	switch {
	case set["n"] && c.N < 1 || c.N > 65536:
		return c, fmt.Errorf("sample: -n %d: between 1 and 65536 pictures", c.N)
	case c.Steps < 1 || c.Steps > 100000:
		return c, fmt.Errorf("sample: -steps %d: between 1 and 100000 solver steps; 50 is usual", c.Steps)
	case c.Batch < 0 || c.Batch > 65535:
		return c, fmt.Errorf("sample: -batch %d: between 1 and 65535 pictures at once", c.Batch)
	case !slices.Contains([]string{"", "ema", "ema2", "raw"}, c.Weights):
		return c, fmt.Errorf("sample: -weights %q: it is ema, ema2 or raw", c.Weights)
	case c.End != "x" && c.End != "z":
		return c, fmt.Errorf("sample: -end %q: it is x or z", c.End)
	case slices.ContainsFunc(c.Guidance, func(w float64) bool { return !(math.Abs(w) <= maxGuidance) }):
		return c, fmt.Errorf("sample: -guidance %v: weights between -%d and %d; 2 to 4 are usual", c.Guidance, maxGuidance, maxGuidance)
	case c.Classes == nil && (guided || set["interval"]):
		return c, fmt.Errorf("sample: guidance is towards a class: say which with -class, or -class all")
	case c.Convergence != "" && (c.Out != "" || c.Trajectory != "" || set["steps"] || set["solver"] || set["end"]):
		return c, fmt.Errorf("sample: -convergence runs both solvers at many numbers of steps and draws no pictures: leave out -steps, -solver, -end, -out and -trajectory")
	case c.Convergence != "" && (len(c.Guidance) > 1 || len(c.Classes) > 1):
		return c, fmt.Errorf("sample: -convergence takes one -class and one -guidance")
	}
	return c, nil
}

// maxGuidance bounds the weights of guidance: what lies far beyond 10 shows nothing but saturated colours.
const maxGuidance = 100

// numbers reads numbers with commas between them.
func numbers(s string) ([]float64, error) {
	var out []float64
	for _, part := range strings.Split(s, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", part)
		}
		out = append(out, v)
	}
	return out, nil
}

// A class is one that is drawn. Label is -1 where the model knows none.
type class struct {
	label int
	name  string
}

// classes finds what -class names.
func (c Config) classes(m model.Config, names []string) ([]class, error) {
	if c.Classes == nil {
		return []class{{-1, ""}}, nil
	}
	if m.Classes == 0 {
		return nil, fmt.Errorf("-class %q: the model knows no classes; it would have to be trained with -labels", c.Classes[0])
	}
	name := func(i int) class {
		if i < len(names) {
			return class{i, names[i]}
		}
		return class{i, fmt.Sprintf("class %d", i)}
	}
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }
	var out []class
	for _, want := range c.Classes {
		i := slices.IndexFunc(names, func(s string) bool { return plain(s) == plain(want) })
		if n, err := strconv.Atoi(want); i < 0 && err == nil {
			i = n
		}
		switch {
		case i >= 0 && i < m.Classes:
			out = append(out, name(i))
		case want == "all":
			for i := range m.Classes {
				out = append(out, name(i))
			}
		case want == "none":
			out = append(out, class{m.Classes, "none"})
		default:
			const most = 20 // names in one line
			known := fmt.Sprintf("0 to %d", m.Classes-1)
			if len(names) > 0 {
				known += ": " + strings.Join(names[:min(len(names), most)], "; ")
			}
			return nil, fmt.Errorf("-class %q is none of the model's %d: %s", want, m.Classes, known)
		}
	}
	return out, nil
}

// pictures completes the numbers that depend on each other: N and Batch.
func (c *Config) pictures() {
	if c.N == 0 {
		switch {
		case c.Convergence != "":
			c.N = 8
		case c.Classes != nil:
			c.N = max(1, 8/len(c.Guidance))
		default:
			c.N = 64
		}
	}
	if c.Batch == 0 {
		c.Batch = 64
	}
	c.Batch = min(c.Batch, c.N)
}

// Run samples as c says.
func Run(ctx context.Context, c Config, out io.Writer) error {
	if err := kernels.CheckRung(); err != nil {
		return err
	}
	path := c.Checkpoint
	if path == "" {
		var err error
		if path, err = run.Newest("runs"); err != nil {
			return fmt.Errorf("sample: %w", err)
		}
	}
	f, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	meta, err := run.Load(f)
	if err != nil {
		return fmt.Errorf("sample: %s: %w", path, err)
	}
	config := meta.Config.Model
	classes, err := c.classes(config, meta.Config.ClassNames)
	if err != nil {
		return fmt.Errorf("sample: %s: %w", path, err)
	}
	if c.Out == "" {
		c.Out = filepath.Join(filepath.Dir(path), fmt.Sprintf("samples-%d.png", c.Seed))
	}
	if c.Convergence != "" {
		c.Out = c.Convergence
	}
	c.pictures()
	if err := c.check(path, config.Size, len(classes)); err != nil {
		return err
	}
	dev, err := c.open(ctx, config, out)
	if err != nil {
		return err
	}
	defer dev.Close()
	precision, err := kernels.ParsePrecision(c.Precision, dev.Info())
	if err != nil {
		return fmt.Errorf("sample: -precision %w", err)
	}
	m, err := model.New(dev, config)
	if err != nil {
		return err
	}
	defer m.Close()
	weights, kind, err := load(dev, m, path, f, c.Weights)
	if err != nil {
		return fmt.Errorf("sample: %w", err)
	}
	defer weights.Close()
	s, err := sampler.New(dev, m, weights, c.Batch, precision)
	if err != nil {
		return err
	}
	defer s.Close()
	h := &report.Header{}
	h.Add("device", "%s (%s, %s)", dev.Info().Name, dev.Info().Type, dev.Info().Driver)
	h.Add("checkpoint", "%s, step %d, %s", path, meta.Step, kind)
	h.Add("model", "%s: %d px, %s parameters", config.Preset, config.Size, report.Count(int64(config.ParamCount())))
	if c.Convergence == "" {
		h.Add("sampling", "%d pictures, %d %v steps (%d evaluations of the network), seed %d", c.total(len(classes)), c.Steps, c.Solver, c.Solver.Evaluations(c.Steps), c.Seed)
	}
	if c.Classes != nil {
		h.Add("classes", "%d with guidance %s for tau from %g to %g", len(classes), strings.Trim(fmt.Sprint(c.Guidance), "[]"), c.Low, c.High)
	}
	h.Add("precision", "%v", precision)
	h.Add("memory", "%s on the device", report.Bytes(dev.Stats().Bytes))
	if c.DryRun {
		h.Add("dry run", "nothing was allocated")
		return h.Print(out)
	}
	if err := h.Print(out); err != nil {
		return err
	}
	if c.Convergence != "" {
		title := fmt.Sprintf("%s, step %d, on %s", config.Preset, meta.Step, dev.Info().Name)
		return c.converge(ctx, s, c.options(classes[0], c.Guidance[0]), title, out)
	}
	return c.draw(ctx, s, classes, config.Size, f.Meta["config"], out)
}

// open opens the device, which chooses its kernels as drawing c.Batch pictures at once has it best.
func (c Config) open(ctx context.Context, config model.Config, out io.Writer) (*engine.Device, error) {
	r := tune.Request{Device: c.Device, Mode: c.Tune, DryRun: c.DryRun, Say: func(line string) { fmt.Fprintln(out, line) }}
	return tune.Open(ctx, r, func(plan *engine.Device) error {
		precision, err := kernels.ParsePrecision(c.Precision, plan.Info())
		if err != nil {
			return fmt.Errorf("sample: -precision %w", err)
		}
		m, err := model.New(plan, config)
		if err != nil {
			return err
		}
		weights, err := plan.NewBuffer("weights", m.Layout.Bytes())
		if err != nil {
			return err
		}
		_, err = sampler.New(plan, m, weights, c.Batch, precision)
		return err
	})
}

// total returns the number of pictures in the grid.
func (c Config) total(classes int) int { return classes * len(c.Guidance) * c.N }

// options are what the pictures of one class with one guidance are drawn with.
func (c Config) options(k class, weight float64) sampler.Options {
	o := sampler.Options{N: c.N, Seed: c.Seed, Steps: c.Steps, Solver: c.Solver, EndOnZ: c.End == "z"}
	if k.label >= 0 {
		o.Labels = slices.Repeat([]int{k.label}, c.N)
		o.Guidance = &sampler.Guidance{Weight: weight, Low: c.Low, High: c.High}
	}
	return o
}

// draw writes the grid, a row for each class and in it, for each guidance, the same N pictures' noise; and the trajectory.
func (c Config) draw(ctx context.Context, s *sampler.Sampler, classes []class, size int, config string, out io.Writer) error {
	var pictures []float32
	var z []byte // float32, (Steps+1,pictures,3,Size,Size)
	bytes, total := 4*3*size*size, c.total(len(classes))
	if c.Trajectory != "" {
		z = make([]byte, (c.Steps+1)*total*bytes)
	}
	perCell := s.Batches(c.N) * c.Steps
	progress := report.NewProgress(out, 0, total/c.N*perCell, 0)
	cells := 0
	for _, k := range classes {
		for _, weight := range c.Guidance {
			o := c.options(k, weight)
			if c.Trajectory != "" {
				o.Trajectory = func(i, point int, _ float64, state []float32) {
					copy(z[(point*total+cells*c.N+i)*bytes:], kernels.Bytes(state))
				}
			}
			o.Progress = func(done, _ int) { progress.Advance(cells*perCell + done) }
			cell, err := s.Sample(ctx, o)
			if err != nil {
				return err
			}
			pictures = append(pictures, cell...)
			cells++
		}
	}
	if err := progress.Finish(); err != nil {
		return err
	}
	cols, g := 0, grid.Options{}
	if c.Classes != nil {
		cols = c.N * len(c.Guidance)
		for _, k := range classes {
			g.Rows = append(g.Rows, k.name)
		}
		for _, w := range c.Guidance {
			g.Cols = append(g.Cols, fmt.Sprintf("guidance %g", w))
		}
	}
	err := grid.Save(c.Out, grid.Draw(pictures, total, size, size, cols, g))
	if err == nil {
		fmt.Fprintln(out, "grid       ", c.Out)
	}
	if c.Trajectory != "" {
		if failed := saveTrajectory(c, total, size, z, config); failed != nil {
			return errors.Join(err, failed)
		}
		fmt.Fprintln(out, "trajectory ", c.Trajectory)
	}
	return err
}

// check refuses, before anything is computed, what would fail or do harm at the end.
func (c Config) check(loaded string, size, classes int) error {
	cell := int64(size) + 98 // side of a picture in the grid, at most
	picture := 12*int64(size)*int64(size) + 4*cell*cell
	total := c.total(classes)
	if most := maxMemory / picture; int64(total) > most {
		return fmt.Errorf("sample: -n %d, %d pictures in all: at %d pixels at most %d fit into %s of memory; draw more with another -seed", c.N, total, size, most,
			report.Bytes(maxMemory))
	}
	if bytes := float64(c.Steps+1) * float64(total) * 12 * float64(size) * float64(size); c.Trajectory != "" && bytes > maxMemory {
		return fmt.Errorf("sample: -trajectory of %d pictures and -steps %d takes %s, at most %s will do; lower one of them", total, c.Steps,
			report.Bytes(int64(min(bytes, 1e18))), report.Bytes(maxMemory))
	}
	written := []string{loaded}
	for _, path := range []string{c.Out, c.Trajectory} {
		if path == "" {
			continue
		}
		for _, other := range written {
			if same(path, other) {
				return fmt.Errorf("sample: %s would be written over %s; choose another name", path, other)
			}
		}
		written = append(written, path)
		if c.DryRun {
			continue
		}
		f, err := files.Create(path) // can it be written?
		if err != nil {
			return err
		}
		f.Abort()
	}
	return nil
}

// maxMemory bounds what sampling keeps on the host, in bytes.
const maxMemory = 4 << 30

// same tells whether two names are of one file.
func same(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// load uploads a checkpoint's weights: the raw ones, an average, or, where want is "", the first average if there is one.
func load(dev *engine.Device, m *model.Model, path string, f *checkpoint.File, want string) (b *engine.Buffer, kind string, err error) {
	if want == "" {
		want = "ema"
		if _, err := f.Float32("ema/" + m.Layout.Params[0].Name); errors.Is(err, checkpoint.ErrMissing) {
			want = "raw"
		}
	}
	kind = map[string]string{"ema": "averaged weights", "ema2": "weights of the second average", "raw": "weights"}[want]
	prefix := want + "/"
	if want == "raw" {
		prefix = ""
	}
	values := map[string][]float32{}
	for _, p := range m.Layout.Params {
		if values[p.Name], err = f.Float32(prefix+p.Name, p.Shape...); err != nil {
			return nil, "", err
		}
		for _, v := range values[p.Name] {
			if v-v != 0 { // NaN or infinite
				return nil, "", fmt.Errorf("checkpoint %s: tensor %q holds %v: its training diverged; take an earlier checkpoint", path, prefix+p.Name, v)
			}
		}
	}
	for _, name := range f.Names() { // a tensor too many: a configuration of fewer blocks, say
		if base, ok := strings.CutPrefix(name, prefix); ok && !strings.Contains(base, "/") && values[base] == nil {
			return nil, "", fmt.Errorf("checkpoint %s: tensor %q is none of the model that its configuration describes; take another checkpoint", path, name)
		}
	}
	flat, err := m.Layout.Pack(values)
	if err != nil {
		return nil, "", err
	}
	if b, err = dev.NewBuffer("weights", m.Layout.Bytes()); err != nil {
		return nil, "", err
	}
	if !dev.DryRun() {
		if err := dev.Upload(b.All(), flat); err != nil {
			b.Close()
			return nil, "", err
		}
	}
	return b, kind, nil
}

func saveTrajectory(c Config, n, size int, z []byte, config string) error {
	taus := ode.Grid(0, 1, c.Steps)
	tau := make([]float32, len(taus))
	for i, v := range taus {
		tau[i] = float32(v)
	}
	return checkpoint.Save(c.Trajectory, map[string]string{"format": "jitvk trajectory 1", "config": config, "seed": fmt.Sprint(c.Seed)}, []checkpoint.Tensor{
		{Name: "tau", DType: "F32", Shape: []int{c.Steps + 1}, Data: kernels.Bytes(tau)},
		{Name: "z", DType: "F32", Shape: []int{c.Steps + 1, n, 3, size, size}, Data: z},
	})
}
