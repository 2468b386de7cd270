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

	"jitvk/kernels/tune"
	"jitvk/model/cli"
	"jitvk/model/sampler"
)

// Config is everything that `go run ./sample` can be told. A field with the tag help is an option (cli.Option).
type Config struct {
	Checkpoint string `name:"checkpoint" help:"checkpoint to load, or its run's folder (default that of the newest run)"`
	Weights    string `name:"weights" of:"ema,ema2,raw" help:"an average, or as the last step left them; default ema where the run kept it"`
	N          int    `name:"n" help:"pictures; with -class, of each class with each guidance (default 64, or what makes rows of 8)"`
	Steps      int    `name:"steps" help:"solver steps from noise to image"`
	Solver     string `name:"solver" of:"euler,heun" help:"heun evaluates the network twice a step and errs far less for it"`
	End        string `name:"end" of:"x,z" help:"show what the last step predicts, or where the walk ends: that keeps a little noise"`
	Seed       uint64 `name:"seed" help:"of the noise; picture i depends on the seed, i and its class alone"`

	Classes  []string  `name:"class" help:"class to draw, by name or number, or all, or none; repeat it for more, a row each"`
	Guidance []float64 `name:"guidance" help:"towards -class: weights with commas between, a column each; 1 is none, 2 to 4 are usual"`
	Interval interval  `name:"interval" help:"low,high: flow times between which guidance holds"`

	Batch       int    `name:"batch" help:"pictures at once (default all of a class, at most 64)"`
	Out         string `name:"out" help:"PNG file for the grid (default samples-SEED.png beside the checkpoint)"`
	Trajectory  string `name:"trajectory" help:"safetensors file for tau (steps+1) and z (steps+1,n,3,ImgH,ImgW), the initial noise first"`
	Convergence string `name:"convergence" help:"PNG file for a plot instead of pictures: the error of both solvers by their steps"`

	Device    string `name:"device" help:"index of the Vulkan device or part of its name"`
	Precision string `name:"precision" of:"fp32,fp16,bf16,auto" help:"of products; auto is fp16 where a GPU has matrix units, else fp32"`
	DryRun    bool   `name:"dry-run" help:"print what would be done and planned memory, then stop"`

	Tune   tune.Mode   `name:"tune" of:"auto,off,again" help:"measure which kernels are fastest: once a device, never, anew"`
	Budget tune.Budget `name:"tune-budget" help:"seconds that measuring may take (default 20)"`
}

var described = cli.Describe("sample", Config{})

// defaults is a configuration of which the user has said nothing.
func defaults() Config {
	return Config{Steps: 50, Solver: "heun", End: "x", Seed: 1, Guidance: []float64{1}, Interval: interval{0.1, 1}, Precision: "auto",
		Tune: tune.Auto}
}

// Parse reads the command line. -help prints the options and gives flag.ErrHelp.
func Parse(args []string) (Config, error) {
	c := defaults()
	settings, err := described.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		described.Help(os.Stdout, &c)
	}
	if err != nil {
		return c, err
	}
	settings.Apply(&c)
	return c, c.validate(settings)
}

// maxGuidance bounds the weights of guidance: what lies far beyond 10 shows nothing but saturated colours.
const maxGuidance = 100

// validate says what is impossible, and what the user has set that does not go together.
func (c Config) validate(set cli.Settings) error {
	guided := slices.ContainsFunc(c.Guidance, func(w float64) bool { return w != 1 })
	switch {
	case set.Has("n") && c.N < 1 || c.N > 65536:
		return fmt.Errorf("sample: -n %d: between 1 and 65536 pictures", c.N)
	case c.Steps < 1 || c.Steps > 100000:
		return fmt.Errorf("sample: -steps %d: between 1 and 100000 solver steps; 50 is usual", c.Steps)
	case set.Has("batch") && c.Batch < 1 || c.Batch > 65535:
		return fmt.Errorf("sample: -batch %d: between 1 and 65535 pictures at once", c.Batch)
	case slices.ContainsFunc(c.Guidance, func(w float64) bool { return !(math.Abs(w) <= maxGuidance) }):
		return fmt.Errorf("sample: -guidance %v: weights between -%d and %d; 2 to 4 are usual", c.Guidance, maxGuidance, maxGuidance)
	case c.Classes == nil && (guided || set.Has("interval")):
		return fmt.Errorf("sample: guidance is towards a class: say which with -class, or -class all")
	case c.Convergence != "" && (c.Out != "" || c.Trajectory != "" || set.Has("steps", "solver", "end")):
		return fmt.Errorf("sample: -convergence runs both solvers at many numbers of steps and draws no pictures: leave out -steps, " +
			"-solver, -end, -out and -trajectory")
	case c.Convergence != "" && (len(c.Guidance) > 1 || len(c.Classes) > 1):
		return fmt.Errorf("sample: -convergence takes one -class and one -guidance")
	}
	return nil
}

// solver is the one that Solver names.
func (c Config) solver() sampler.Solver {
	if c.Solver == "euler" {
		return sampler.Euler
	}
	return sampler.Heun
}

// An interval is of flow times, from 0 to 1.
type interval struct{ Low, High float64 }

func (i *interval) String() string { return fmt.Sprintf("%g,%g", i.Low, i.High) }

// Set makes an interval a flag.Value.
func (i *interval) Set(text string) error {
	low, high, _ := strings.Cut(text, ",")
	var err, err2 error
	i.Low, err = strconv.ParseFloat(strings.TrimSpace(low), 64)
	i.High, err2 = strconv.ParseFloat(strings.TrimSpace(high), 64)
	if err != nil || err2 != nil || !(i.Low >= 0 && i.Low < i.High && i.High <= 1) {
		return errors.New("two numbers are wanted, 0 <= low < high <= 1, such as 0.1,1")
	}
	return nil
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
