// SPDX-License-Identifier: MIT

// Package command is the program `go run ./sample`: it loads a checkpoint, draws pictures from it and writes them as one
// grid, and their whole way from noise to image as a trajectory if asked to.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/model"
	"jitvk/sample/grid"
	"jitvk/sample/ode"
	"jitvk/sample/sampler"
	"jitvk/train/atomicfile"
	"jitvk/train/checkpoint"
	"jitvk/train/cli"
	"jitvk/train/report"
	"jitvk/train/trainer"
)

// Config is everything that `go run ./sample` can be told.
type Config struct {
	Checkpoint string // "" is the newest run's
	N          int    // pictures
	Steps      int    // solver steps
	Seed       uint64
	Batch      int    // pictures at once
	Out        string // the grid; "" is samples-SEED.png beside the checkpoint
	Trajectory string // safetensors file for tau and z, or ""
	Device     string
	DryRun     bool
}

// Parse reads the command line.
func Parse(args []string) (Config, error) {
	fs := flag.NewFlagSet("sample", flag.ContinueOnError)
	var c Config
	fs.StringVar(&c.Checkpoint, "checkpoint", "", "checkpoint to load (default that of the newest run)")
	fs.IntVar(&c.N, "n", 64, "pictures")
	fs.IntVar(&c.Steps, "steps", 50, "solver steps from noise to image")
	fs.Uint64Var(&c.Seed, "seed", 1, "of the noise; picture i depends on the seed and on i alone")
	fs.IntVar(&c.Batch, "batch", 0, "pictures at once (default -n, at most 64)")
	fs.StringVar(&c.Out, "out", "", "PNG file for the grid (default beside the checkpoint)")
	fs.StringVar(&c.Trajectory, "trajectory", "", "safetensors file for tau (steps+1) and z (steps+1, n, 3, ImgH, ImgW), the initial noise first")
	fs.StringVar(&c.Device, "device", "", "index of the Vulkan device or part of its name")
	fs.BoolVar(&c.DryRun, "dry-run", false, "print what would be done and planned memory, then stop")
	if err := cli.Parse(fs, args); err != nil {
		return c, err
	}
	switch {
	case c.N < 1 || c.N > 65536:
		return c, fmt.Errorf("sample: -n %d: between 1 and 65536 pictures", c.N)
	case c.Steps < 1 || c.Steps > 100000:
		return c, fmt.Errorf("sample: -steps %d: between 1 and 100000 solver steps; 50 is usual", c.Steps)
	case c.Batch < 0 || c.Batch > 65535:
		return c, fmt.Errorf("sample: -batch %d: between 1 and 65535 pictures at once", c.Batch)
	}
	if c.Batch == 0 {
		c.Batch = min(c.N, 64)
	}
	c.Batch = min(c.Batch, c.N)
	return c, nil
}

// Run samples as c says.
func Run(ctx context.Context, c Config, out io.Writer) error {
	if err := kernels.CheckTier(); err != nil {
		return err
	}
	path := c.Checkpoint
	if path == "" {
		var err error
		if path, err = newest("runs"); err != nil {
			return err
		}
	}
	f, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	config, err := trainer.LoadConfig(f)
	if err != nil {
		return fmt.Errorf("sample: %s: %w", path, err)
	}
	dev, err := engine.Open(engine.Options{Select: c.Device, DryRun: c.DryRun})
	if err != nil {
		return err
	}
	defer dev.Close()
	if c.Out == "" {
		c.Out = filepath.Join(filepath.Dir(path), fmt.Sprintf("samples-%d.png", c.Seed))
	}
	if err := c.check(path, config.Size); err != nil {
		return err
	}
	m, err := model.New(dev, config)
	if err != nil {
		return err
	}
	defer m.Close()
	weights, kind, err := load(dev, m, path, f)
	if err != nil {
		return fmt.Errorf("sample: %w", err)
	}
	defer weights.Close()
	s, err := sampler.New(dev, m, weights, c.Batch)
	if err != nil {
		return err
	}
	defer s.Close()
	h := &report.Header{}
	h.Add("device", "%s (%s, %s)", dev.Info().Name, dev.Info().Type, dev.Info().Driver)
	h.Add("checkpoint", "%s, step %s, %s", path, f.Meta["step"], kind)
	h.Add("model", "%s: %d px, %s parameters", config.Preset, config.Size, report.Count(int64(config.ParamCount())))
	h.Add("sampling", "%d pictures, %d Euler steps, seed %d", c.N, c.Steps, c.Seed)
	h.Add("memory", "%s on the device", report.Bytes(dev.Stats().Bytes))
	if c.DryRun {
		h.Add("dry run", "nothing was allocated")
		return h.Print(out)
	}
	if err := h.Print(out); err != nil {
		return err
	}
	o := sampler.Options{N: c.N, Steps: c.Steps, Seed: c.Seed}
	var z []byte // float32, (Steps+1,N,3,Size,Size)
	picture := 4 * 3 * config.Size * config.Size
	if c.Trajectory != "" {
		z = make([]byte, (c.Steps+1)*c.N*picture)
		o.Trajectory = func(i, point int, _ float64, state []float32) {
			copy(z[(point*c.N+i)*picture:], checkpoint.EncodeFloat32(state))
		}
	}
	batches := (c.N + c.Batch - 1) / c.Batch
	progress := report.NewProgress(out, 0, batches*c.Steps, 0)
	o.Progress = func(done, _ int) { progress.Advance(done) }
	pictures, err := s.Sample(ctx, o)
	if err != nil {
		return err
	}
	if err := progress.Finish(); err != nil {
		return err
	}
	if err = grid.Save(c.Out, grid.Draw(pictures, c.N, config.Size, config.Size, 0, grid.Options{})); err == nil {
		fmt.Fprintln(out, "grid       ", c.Out)
	}
	if c.Trajectory != "" {
		if failed := saveTrajectory(c, config.Size, z, f.Meta["config"]); failed != nil {
			return errors.Join(err, failed)
		}
		fmt.Fprintln(out, "trajectory ", c.Trajectory)
	}
	return err
}

// check refuses, before anything is computed, what would fail or do harm at the end.
func (c Config) check(loaded string, size int) error {
	cell := int64(size) + 98 // side of a picture in the grid, at most
	picture := 12*int64(size)*int64(size) + 4*cell*cell
	if most := maxMemory / picture; int64(c.N) > most {
		return fmt.Errorf("sample: -n %d: at %d pixels at most %d pictures fit into %s of memory; draw more with another -seed", c.N, size, most, report.Bytes(maxMemory))
	}
	if bytes := float64(c.Steps+1) * float64(c.N) * 12 * float64(size) * float64(size); c.Trajectory != "" && bytes > maxMemory {
		return fmt.Errorf("sample: -trajectory of -n %d pictures and -steps %d takes %s, at most %s will do; lower one of them", c.N, c.Steps,
			report.Bytes(int64(min(bytes, 1e18))), report.Bytes(maxMemory))
	}
	files := []string{loaded}
	for _, path := range []string{c.Out, c.Trajectory} {
		if path == "" {
			continue
		}
		for _, other := range files {
			if same(path, other) {
				return fmt.Errorf("sample: %s would be written over %s; choose another name", path, other)
			}
		}
		files = append(files, path)
		if c.DryRun {
			continue
		}
		f, err := atomicfile.Create(path) // can it be written?
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

// newest returns the checkpoint of the newest run that has one, whole or not: an older one must not take a damaged one's place
// unseen.
func newest(base string) (string, error) {
	runs, err := report.Runs(base)
	if err != nil {
		return "", err
	}
	for _, dir := range runs {
		path := filepath.Join(dir, trainer.CheckpointName)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
	}
	return "", fmt.Errorf("sample: no run with a checkpoint in %s; train first (go run ./train) or name a file with -checkpoint", base)
}

// load uploads a checkpoint's weights: their average where there is one.
func load(dev *engine.Device, m *model.Model, path string, f *checkpoint.File) (b *engine.Buffer, kind string, err error) {
	prefix := "ema/"
	kind = "averaged weights"
	if _, err := f.Float32(prefix + m.Layout.Params[0].Name); errors.Is(err, checkpoint.ErrMissing) {
		prefix, kind = "", "weights"
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

func saveTrajectory(c Config, size int, z []byte, config string) error {
	taus := ode.Grid(0, 1, c.Steps)
	tau := make([]float32, len(taus))
	for i, v := range taus {
		tau[i] = float32(v)
	}
	return checkpoint.Save(c.Trajectory, map[string]string{"format": "jitvk trajectory 1", "config": config, "seed": fmt.Sprint(c.Seed)}, []checkpoint.Tensor{
		{Name: "tau", DType: "F32", Shape: []int{c.Steps + 1}, Data: checkpoint.EncodeFloat32(tau)},
		{Name: "z", DType: "F32", Shape: []int{c.Steps + 1, c.N, 3, size, size}, Data: z},
	})
}
