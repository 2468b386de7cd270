// SPDX-License-Identifier: MIT

package trainer

import (
	"context"
	"path/filepath"

	"jitvk/model/grid"
	"jitvk/model/report"
	"jitvk/model/run"
	"jitvk/model/sampler"
)

const (
	gridPictures = 32 // of the sample grid, fewer in runs that are short for their model
	gridSteps    = 40 // solver steps for each
	gridsPerRun  = 10 // how often the grid is redrawn, if that takes no more time than the steps
)

// gridSize returns how many pictures the grid has: as many as a tenth of the run's work draws, a solver step being a third of
// a training step's work a picture.
func gridSize(c run.Config) int {
	worth := 3 * float64(c.Steps) * float64(c.Images()) / (10 * gridSteps)
	return max(int(min(worth, gridPictures)), 1)
}

// gridEvery returns the number of steps from grid to grid. A solver step costs a third of a training step of as many
// pictures; the grids of a short run must not take more time than its steps.
func gridEvery(c run.Config) int {
	return max(c.Steps/gridsPerRun, gridSize(c)*gridSteps/(3*c.Images()), 1)
}

// draw writes the loss curve and the sample grid, each whole or not at all.
func (s *State) draw(ctx context.Context, samples *sampler.Sampler, dir string, rows []report.Row, baseline float64) error {
	if err := report.SaveLoss(filepath.Join(dir, "loss.png"), rows,
		report.LossPlot{Title: s.Config.Model.Preset + " on " + s.dev.Info().Name,
			Baseline: baseline, BaselineName: "always predicting the mean picture"}); err != nil {
		return err
	}
	var labels []int // the classes by turns
	if classes := len(s.ClassNames); classes > 0 {
		labels = make([]int, gridSize(s.Config))
		for i := range labels {
			labels[i] = i % classes
		}
	}
	pictures, err := samples.Sample(ctx, sampler.Options{N: gridSize(s.Config), Steps: gridSteps, Seed: s.Seed, Labels: labels})
	if ctx.Err() != nil {
		return nil // the loop ends the run
	}
	if err != nil {
		return err
	}
	size := s.Config.Model.Size
	return grid.Save(filepath.Join(dir, "samples.png"), grid.Draw(pictures, gridSize(s.Config), size, size, 0, grid.Options{}))
}
