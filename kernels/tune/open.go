// SPDX-License-Identifier: MIT

package tune

import (
	"context"

	"jitvk/engine"
	"jitvk/engine/files"
)

// A Request is for a device on which work is done by the fastest kernels that are known for it.
type Request struct {
	Device string            // index or part of its name, as engine.Options has it
	Mode   Mode              // what is measured
	Budget Budget            // for measuring
	Kept   Kept              // the choices of a run that goes on: on their own device they stand, and nothing is measured
	DryRun bool              // the device only plans
	Say    func(line string) // is given a line for the user now and then while there is anything to measure
}

// Kept are the choices by which a run's work is done, as its checkpoint holds them. They decide the order of sums, so a run that
// goes on takes them rather than what has been measured since. On another device or driver they mean nothing.
type Kept struct {
	Device  string         `json:"device"` // engine.Info.Key
	Choices engine.Choices `json:"ways"`   // the key that files have had from the first
}

// Chosen are the choices of all that has been recorded on a device.
func Chosen(d *engine.Device) Kept { return Kept{d.Info().Key(), d.Chosen()} }

// Open opens a device. First record is given one that only plans and chooses as the run did that goes on, or else as earlier
// runs have found: it records there what is going to be done. What it had to guess is measured, on a device of its own, and the
// device that Open returns chooses by all of that. A dry run needs no measuring: its device is the planning one, and nothing
// has been recorded on it.
func Open(ctx context.Context, r Request, record func(plan *engine.Device) error) (*engine.Device, error) {
	plan, err := engine.Open(engine.Options{Select: r.Device, DryRun: true})
	if err != nil {
		return nil, err
	}
	if r.Kept.Device == plan.Info().Key() {
		r.Mode = Off
		plan.Prefer(r.Kept.Choices)
	} else {
		r.Mode.recall(plan)
	}
	if r.DryRun {
		return plan, nil
	}
	defer plan.Close()
	if err := record(plan); err != nil {
		return nil, err
	}
	o := options(r.Device)
	choices, err := r.Mode.measure(ctx, o, plan, r.Budget, r.Say)
	if err != nil {
		return nil, err
	}
	d, err := engine.Open(o)
	if err == nil {
		d.Prefer(choices)
	}
	return d, err
}

// options are those of a device that keeps its pipelines in the user's cache folder, where there is one.
func options(selection string) engine.Options {
	o := engine.Options{Select: selection}
	if dir, err := files.CacheDir(); err == nil {
		o.Cache = dir
	}
	return o
}
