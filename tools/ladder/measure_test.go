// SPDX-License-Identifier: MIT

package main

import (
	"math"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/measure"
	"jitvk/model/run"
)

func TestMain(m *testing.M) { kerneltest.Main(m) }

// TestLadders races every part of the lowest rung of each ladder at a small shape: all of them get a time.
func TestLadders(t *testing.T) {
	d := kerneltest.Device(t)
	quick, err := run.Preset("quick")
	if err != nil {
		t.Fatal(err)
	}
	c := quick.Model
	c.Preset, c.Dim, c.Heads, c.Hidden = "small", 32, 2, 40
	batch[c.Preset] = 1
	defer delete(batch, c.Preset)
	for op, ladder := range ladders {
		m := measure.NewMemory(d)
		defer m.Close()
		l := ladder(m, c)
		if err := m.Err(); err != nil {
			t.Fatal(err)
		}
		var all []*measure.Contender
		for _, precision := range []kernels.Precision{kernels.FP32, kernels.FP16} {
			rungs := l.rungs(d.Info(), precision)
			if len(rungs) == 0 {
				t.Errorf("%s: no rung for %v", op, precision)
			}
			for _, rung := range rungs[:1] { // each costs seconds of a CPU driver's compiler
				for part := range l.parts {
					all = append(all, &measure.Contender{Label: rung,
						Record: func(p *engine.Program) { l.record(p, part, precision, rung) }})
				}
			}
		}
		if err := measure.Race(d, all, 1); err != nil {
			t.Fatal(err)
		}
		for i, x := range all {
			if s := x.Best().Seconds(); !(s > 0) || math.IsInf(l.flops[i%len(l.parts)]/s, 0) {
				t.Errorf("%s: %s, part %d: best %v", op, x.Label, i%len(l.parts), x.Best())
			}
		}
	}
}
