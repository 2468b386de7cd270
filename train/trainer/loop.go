// SPDX-License-Identifier: MIT

package trainer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"jitvk/model/report"
	"jitvk/model/run"
	"jitvk/model/sampler"
	"jitvk/train/dataset"
)

const saveGap = 10 * time.Minute // at most this much work is lost to a kill

// A training is a run under way: what its steps read, and what keeps and shows their results.
type training struct {
	*State
	pictures Pictures
	samples  *sampler.Sampler
	dir      string
	out      io.Writer
	log      *report.Log
	progress *report.Progress
	baseline float64       // the loss of always predicting the mean picture
	began    time.Time     // when the program did
	first    time.Duration // from then to the end of the first step
	earlier  float64       // seconds of training before this start
	saved    int           // step of the last checkpoint; 0: none yet
	savedAt  time.Time
}

// loop trains and keeps what comes of it, an interrupted run's too.
func loop(ctx context.Context, began time.Time, s *State, data *dataset.Dataset, samples *sampler.Sampler,
	dir string, out io.Writer) (err error) {
	log, err := report.OpenLog(filepath.Join(dir, "log.csv"), s.at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	_, mse := data.Mean(s.Flip)
	t := &training{State: s, pictures: newFeed(s.Config, data), samples: samples, dir: dir, out: out, log: log,
		progress: report.NewProgress(out, s.at, s.Steps, s.Images()), baseline: max(mse, 0) * s.Config.Model.LossWeight(),
		began: began, savedAt: time.Now()}
	if rows := log.Rows(); len(rows) > 0 {
		t.earlier = rows[len(rows)-1].Seconds
	}
	defer func() {
		if err != nil && t.saved > 0 {
			err = fmt.Errorf("%w (step %d is kept in %s)", err, t.saved, filepath.Join(dir, run.CheckpointName))
		}
	}()
	err = t.steps(ctx)
	screen := t.progress.Finish() // that the screen cannot be written to must not cost the results
	if err != nil {
		return err
	}
	interrupted := ctx.Err() != nil
	if interrupted {
		ctx = context.WithoutCancel(ctx)
	}
	if err := t.save(ctx); err != nil {
		return err
	}
	t.sum(interrupted, ctx.Err() != nil)
	return screen
}

// steps runs the steps that are left. The host prepares one while the device runs the one before: results come one step late,
// but before anything is saved.
func (t *training) steps(ctx context.Context) error {
	var before *Pending
	for t.at < t.Steps && ctx.Err() == nil {
		p, err := t.Step(t.pictures)
		if err != nil {
			return err
		}
		if before != nil {
			if err := t.note(*before); err != nil {
				return err
			}
		}
		before = &p
		if t.toSave() {
			before = nil
			if err := t.note(p); err != nil {
				return err
			}
			if err := t.save(ctx); err != nil {
				return err
			}
		}
	}
	if before != nil {
		return t.note(*before)
	}
	return nil
}

// toSave says whether it is time to save what there is. What the last step leaves is saved anyway.
func (t *training) toSave() bool {
	return t.at < t.Steps && (t.at%gridEvery(t.Config) == 0 || time.Since(t.savedAt) > saveGap)
}

// save writes the run's files. The time that it takes is left out of images a second.
func (t *training) save(ctx context.Context) error {
	err := t.State.save(filepath.Join(t.dir, run.CheckpointName))
	if err == nil {
		t.saved = t.at
		err = t.draw(ctx, t.samples, t.dir, t.log.Rows(), t.baseline)
	}
	t.savedAt = time.Now()
	t.progress.Resume()
	return err
}

// note waits for a step and writes down what came of it.
func (t *training) note(p Pending) error {
	r, err := p.Wait()
	if err != nil {
		return err
	}
	if t.first == 0 {
		t.first = time.Since(t.began)
	}
	if r.Skipped {
		return nil
	}
	t.progress.Step(r.Step, r.Loss)
	_, err = t.log.Add(report.Row{Step: r.Step, Loss: r.Loss, GradNorm: r.GradNorm, LR: float32(r.LR), ImagesPerSecond: t.progress.Rate(),
		Seconds: t.earlier + t.progress.Elapsed().Seconds()})
	return err
}

// sum says what came of the run. unsampled: the run was trained to its end, and the last samples were interrupted.
func (t *training) sum(interrupted, unsampled bool) {
	if rows := t.log.Rows(); len(rows) > 0 {
		fmt.Fprintf(t.out, "loss %.4f (smoothed; always predicting the mean picture gives %.4f) after %s; "+
			"the first step ended %.1f s after the start\n",
			rows[len(rows)-1].Smoothed, t.baseline, report.Duration(t.progress.Elapsed()), t.first.Seconds())
	}
	if t.scaler.Skipped > 0 {
		fmt.Fprintf(t.out, "%d steps were skipped because a gradient overflowed in fp16; the loss scale is now %g\n", t.scaler.Skipped,
			t.scaler.Scale)
	}
	switch {
	case interrupted:
		fmt.Fprintf(t.out, "interrupted at step %d of %d; everything up to it is saved: -resume %s goes on\n", t.at, t.Steps, t.dir)
	case unsampled:
		fmt.Fprintln(t.out, "interrupted while the samples were drawn; everything else is saved")
	}
	fmt.Fprintln(t.out, "samples    ", filepath.Join(t.dir, "samples.png"))
	fmt.Fprintln(t.out, "loss curve ", filepath.Join(t.dir, "loss.png"))
	fmt.Fprintln(t.out, "checkpoint ", filepath.Join(t.dir, run.CheckpointName))
}
