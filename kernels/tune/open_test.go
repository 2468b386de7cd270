// SPDX-License-Identifier: MIT

package tune

import (
	"context"
	"errors"
	"testing"

	"jitvk/engine"
)

// choose returns what a device takes for a class.
func choose(d *engine.Device, class string) string {
	return choices[engine.NewProgram(d, "choose").Choose(class, choices)]
}

// TestOpen: the device that is opened does what was found on the plan, measured once for all runs; a dry run's device does what
// earlier runs have found, and measures nothing.
func TestOpen(t *testing.T) {
	o := ours(t)
	var lines []string
	r := Request{Device: o.Select, Mode: Auto, Say: func(line string) { lines = append(lines, line) }}
	open := func(r Request, record func(plan *engine.Device) error) *engine.Device {
		t.Helper()
		lines = nil
		d, err := Open(context.Background(), r, record)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		return d
	}
	record := func(plan *engine.Device) error { choose(plan, small); return nil }
	first := open(r, record)
	if len(lines) == 0 || first.DryRun() {
		t.Errorf("the first run says %q", lines)
	}
	know(first.Info(), engine.Choices{small: "other"})
	if got := choose(open(r, record), small); got != "other" || len(lines) > 0 {
		t.Errorf("the second run takes %s and says %q", got, lines)
	}
	r.DryRun = true
	dry := open(r, func(*engine.Device) error { return errors.New("nobody asked for a recording") })
	if got := choose(dry, small); got != "other" || !dry.DryRun() {
		t.Errorf("a dry run takes %s", got)
	}
	r.DryRun = false
	if _, err := Open(context.Background(), r, func(*engine.Device) error { return errors.ErrUnsupported }); !errors.Is(err,
		errors.ErrUnsupported) {
		t.Errorf("a recording that fails: %v", err)
	}
	r.Device = "voodoo"
	if _, err := Open(context.Background(), r, record); !errors.Is(err, engine.ErrNoDevice) {
		t.Errorf("no such device: %v", err)
	}
}

// TestOpenKeeps: a run that goes on takes its own choices, whatever has been measured since; on another device they do not count.
func TestOpenKeeps(t *testing.T) {
	o := ours(t)
	r := Request{Device: o.Select, Mode: Auto, DryRun: true}
	taken := func() string {
		t.Helper()
		d, err := Open(context.Background(), r, nil)
		if err != nil {
			t.Fatal(err)
		}
		know(d.Info(), engine.Choices{small: "guess"}) // from the second time on
		r.Kept.Device = d.Info().Key()
		return choose(d, small)
	}
	taken()
	if r.Kept.Choices = (engine.Choices{small: "other"}); taken() != "other" {
		t.Error("the run's own choices are not taken")
	}
	if r.Kept.Device = "theirs"; taken() != "guess" {
		t.Error("another device's choices are taken")
	}
	r.DryRun, r.Say = false, func(line string) { t.Errorf("it measures: %s", line) }
	d, err := Open(context.Background(), r, func(plan *engine.Device) error { choose(plan, large); return nil })
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
}
