// SPDX-License-Identifier: MIT

package command

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"

	"jitvk/model"
	"jitvk/model/report"
	"jitvk/model/sampler"
)

// What -convergence compares: Heun's method in n steps with Euler's in 2n, which cost the same, both with a fine reference.
// Each n is twice the one before.
var (
	convergenceSteps = []int{2, 4, 8, 16, 32, 64, 128, 256, 512} // n
	referenceSteps   = 2000                                      // of Heun's method; a multiple of 20, so that 0.95 is on its grid
)

// clampedFrom is the flow time at which the clamp begins to act on 1 - tau.
const clampedFrom = 1 - model.TauClamp

// converge draws o's pictures by both solvers in many numbers of steps, and plots and prints how far off they are: root mean
// squares over all values of the pictures, which lie in [-1,1].
func (c Config) converge(ctx context.Context, s *sampler.Sampler, o sampler.Options, title string, out io.Writer) error {
	batches := s.Batches(o.N)
	// cost is what a walk counts for in the progress: at least one for each of its steps, since progress has to grow from step to step.
	cost := func(solver sampler.Solver, steps int) int { return batches * solver.Evaluations(steps) }
	total, done := cost(sampler.Heun, referenceSteps), 0
	for _, n := range convergenceSteps {
		total += 2 * (cost(sampler.Euler, 2*n) + cost(sampler.Heun, n))
	}
	progress := report.NewProgress(out, 0, total, 0)
	// walk returns z at some points of the grid, and after them the image that the last step predicts.
	walk := func(solver sampler.Solver, steps int, until float64, points ...int) ([][]float32, error) {
		z := make([][]float32, len(points))
		o.Solver, o.Steps, o.Until = solver, steps, until
		o.Trajectory = func(_, point int, _ float64, state []float32) {
			for i, p := range points {
				if p == point {
					z[i] = append(z[i], state...)
				}
			}
		}
		o.Progress = func(step, of int) { progress.Advance(done + cost(solver, steps)*step/of) }
		image, err := s.Sample(ctx, o)
		done += cost(solver, steps)
		return append(z, image), err
	}
	fine, err := walk(sampler.Heun, referenceSteps, 1, int(math.Round(clampedFrom*float64(referenceSteps))), referenceSteps)
	if err != nil {
		return err
	}
	panels := []report.OrderPanel{
		{Title: fmt.Sprintf("z at tau = %.2f, before the clamp", clampedFrom), Orders: []int{1, 2}},
		{Title: "z at tau = 1, behind the clamp", Orders: []int{1, 2}},
		{Title: "the image that the last step predicts", Orders: []int{1, 0}},
	}
	for i := range panels {
		panels[i].Curves = make([][]float64, 2)
	}
	for _, n := range convergenceSteps {
		for i, steps := range []int{2 * n, n} {
			solver := sampler.Solver(i)
			before, err := walk(solver, steps, clampedFrom, steps)
			if err != nil {
				return err
			}
			whole, err := walk(solver, steps, 1, steps)
			if err != nil {
				return err
			}
			for j, got := range [][]float32{before[0], whole[0], whole[1]} {
				panels[j].Curves[i] = append(panels[j].Curves[i], rms(got, fine[j]))
			}
		}
		for i := range panels {
			panels[i].X = append(panels[i].X, float64(2*n))
		}
	}
	if err := progress.Finish(); err != nil {
		return err
	}
	p := report.OrderPlot{Title: "Heun's method in n steps beside Euler's in 2n",
		Note: fmt.Sprintf("%s; %d pictures, seed %d; reference: Heun's method in %d steps", title, c.N, c.Seed, referenceSteps),
		X:    "evaluations of the network", Y: "root mean square error", Names: []string{"Euler", "Heun"}, Panels: panels}
	if err := report.SaveOrders(c.Out, p); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\nplot        %s\n", table(panels), c.Out)
	return err
}

// table prints the errors and, below, the order that each shows between the last two numbers of steps.
func table(panels []report.OrderPanel) string {
	var b strings.Builder
	fmt.Fprintf(&b, "errors      z at tau %.2f          z at tau 1             predicted image\nEuler Heun %s",
		clampedFrom, strings.Repeat("   Euler     Heun     ", len(panels)))
	for k, n := range convergenceSteps {
		fmt.Fprintf(&b, "\n%5d %4d ", 2*n, n)
		for _, p := range panels {
			fmt.Fprintf(&b, "   %-10.2e%-9.2e", p.Curves[0][k], p.Curves[1][k])
		}
	}
	last := len(convergenceSteps) - 1
	fmt.Fprintf(&b, "\nlast order ")
	for _, p := range panels {
		for _, c := range p.Curves {
			fmt.Fprintf(&b, "   %-7.2f", math.Log2(c[last-1]/c[last]))
		}
	}
	return b.String()
}

// rms is the root mean square of a - b.
func rms(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(a)))
}
