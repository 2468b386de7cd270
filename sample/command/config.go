// SPDX-License-Identifier: MIT

package command

import (
	"errors"
	"flag"
	"fmt"
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
	"jitvk/model/cli"
	"jitvk/model/report"
	"jitvk/model/sampler"
)

// Config is everything that `go run ./sample` can be told.
type Config struct {
	Checkpoint  string // "" is the newest run's
	Weights     string // "ema" or "ema2": an average, "raw": as the last step left them, "": ema where there is one
	N           int    // pictures, of each class with each guidance where there are classes; 0 lets complete choose
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
	fs.StringVar(&c.Weights, "weights", "",
		"ema (their running average), ema2 (a second one) or raw (as the last step left them) (default ema where the run kept it)")
	fs.IntVar(&c.N, "n", 0, "pictures; with -class, of each class with each guidance (default 64; with -class as many as make rows of 8)")
	fs.IntVar(&c.Steps, "steps", 50, "solver steps from noise to image")
	const solvers = "euler, or heun, which evaluates the network twice a step and errs far less for it (default heun)"
	fs.Func("solver", solvers, func(s string) error {
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
	guidance := "weights of classifier-free guidance towards -class, with commas between, a column each; " +
		"1 is none, 2 to 4 are usual (default 1)"
	fs.Func("guidance", guidance, func(s string) error {
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
	fs.StringVar(&c.Trajectory, "trajectory", "",
		"safetensors file for tau (steps+1) and z (steps+1, n, 3, ImgH, ImgW), the initial noise first")
	fs.StringVar(&c.Convergence, "convergence", "",
		"draw no pictures but a plot into this PNG file: the error of both solvers by the number of their steps")
	fs.StringVar(&c.Device, "device", "", "index of the Vulkan device or part of its name")
	fs.StringVar(&c.Precision, "precision", "auto",
		"of the operands of matrix products: fp32, fp16, bf16, or auto: fp16 where a GPU has matrix units, else fp32")
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
		return c, errors.New("sample: -convergence runs both solvers at many numbers of steps and draws no pictures: " +
			"leave out -steps, -solver, -end, -out and -trajectory")
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

// complete fills in what was left open and depends on the rest: N, Batch, and Out, which lies in folder where no name was given.
func (c *Config) complete(folder string) {
	switch {
	case c.Convergence != "":
		c.Out = c.Convergence
	case c.Out == "":
		c.Out = filepath.Join(folder, fmt.Sprintf("samples-%d.png", c.Seed))
	}
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

// check refuses, before anything is computed, what would fail or do harm at the end.
func (c Config) check(loaded string, size, classes int) error {
	cell := int64(size) + 98 // side of a picture in the grid, at most
	picture := 12*int64(size)*int64(size) + 4*cell*cell
	total := c.total(classes)
	if most := maxMemory / picture; int64(total) > most {
		return fmt.Errorf("sample: -n %d, %d pictures in all: at %d pixels at most %d fit into %s of memory; draw more with another -seed",
			c.N, total, size, most, report.Bytes(maxMemory))
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
