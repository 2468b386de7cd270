// SPDX-License-Identifier: MIT

package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"jitvk/kernels"
	"jitvk/model/checkpoint"
	"jitvk/model/grid"
	"jitvk/model/ode"
	"jitvk/model/report"
	"jitvk/model/sampler"
)

// total returns the number of pictures in the grid.
func (c Config) total(classes int) int { return classes * len(c.Guidance) * c.N }

// options are what the pictures of one class with one guidance are drawn with.
func (c Config) options(k class, weight float64) sampler.Options {
	o := sampler.Options{N: c.N, Seed: c.Seed, Steps: c.Steps, Solver: c.solver(), EndOnZ: c.End == "z"}
	if k.label >= 0 {
		o.Labels = slices.Repeat([]int{k.label}, c.N)
		o.Guidance = &sampler.Guidance{Weight: weight, Low: c.Interval.Low, High: c.Interval.High}
	}
	return o
}

// draw draws the grid, a row for each class and in it, for each guidance, the same N pictures' noise; and the trajectory.
func (c Config) draw(ctx context.Context, s *sampler.Sampler, classes []class, size int, config string, out io.Writer) error {
	pictures, z, err := c.sample(ctx, s, classes, size, out)
	if err != nil {
		return err
	}
	err = c.saveGrid(pictures, classes, size)
	if err == nil {
		fmt.Fprintln(out, "grid       ", c.Out)
	}
	if c.Trajectory != "" {
		if failed := c.saveTrajectory(c.total(len(classes)), size, z, config); failed != nil {
			return errors.Join(err, failed)
		}
		fmt.Fprintln(out, "trajectory ", c.Trajectory)
	}
	return err
}

// sample draws the pictures, cell after cell of the grid. z is their trajectories (Steps+1,pictures,3,Size,Size), float32, if those
// are wanted.
func (c Config) sample(ctx context.Context, s *sampler.Sampler, classes []class, size int,
	out io.Writer) (pictures []float32, z []byte, err error) {
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
				return nil, nil, err
			}
			pictures = append(pictures, cell...)
			cells++
		}
	}
	return pictures, z, progress.Finish()
}

// saveGrid writes the pictures: where there are classes, these down and guidance across, by name.
func (c Config) saveGrid(pictures []float32, classes []class, size int) error {
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
	return grid.Save(c.Out, grid.Draw(pictures, c.total(len(classes)), size, size, cols, g))
}

// saveTrajectory writes where n pictures came from.
func (c Config) saveTrajectory(n, size int, z []byte, config string) error {
	taus := ode.Grid(0, 1, c.Steps)
	tau := make([]float32, len(taus))
	for i, v := range taus {
		tau[i] = float32(v)
	}
	meta := map[string]string{"format": "jitvk trajectory 1", "config": config, "seed": fmt.Sprint(c.Seed)}
	return checkpoint.Save(c.Trajectory, meta, []checkpoint.Tensor{
		{Name: "tau", DType: "F32", Shape: []int{c.Steps + 1}, Data: kernels.Bytes(tau)},
		{Name: "z", DType: "F32", Shape: []int{c.Steps + 1, n, 3, size, size}, Data: z},
	})
}
