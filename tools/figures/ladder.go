// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"strings"
)

// measured is what tools/ladder writes, as far as it is drawn.
type measured struct {
	Op, Device, Driver, Commit, Date string
	Peaks                            []struct {
		Name, Unit string
		Rate       float64
	}
	Shapes []measuredShape
}

type measuredShape struct {
	Preset, Text string
	Rungs        []struct {
		Rung, Operands string
		GFLOPs, Share  float64
	}
}

// readLadder returns the measurements of one ladder in docs/kernels/ladder.json, one for each device and driver.
func readLadder(root, op string) ([]measured, error) {
	file := filepath.Join(root, "docs", "kernels", "ladder.json")
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all, reports []measured
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, r := range all {
		if r.Op == op {
			reports = append(reports, r)
		}
	}
	if len(reports) == 0 {
		return nil, fmt.Errorf("%s has nothing of %s; run make ladder", file, op)
	}
	return reports, nil
}

// The layout of a ladder's figure, in points: a bar, the space below a row of presets, the heading of a panel, the figure's title.
const (
	ladderWidth, ladderTitle     = 780.0, 30.0
	barHeight, rowGap, panelHead = 13.0, 42.0, 52.0
	shapeWidth                   = 380.0       // two presets stand beside each other
	barLeft, barLong             = 84.0, 200.0 // where bars begin, and how long the peak is
)

func (s measuredShape) height() float64 { return float64(len(s.Rungs))*barHeight + rowGap }

// height is that of a panel: of its heading, and of the left one of every two presets.
func (r measured) height() float64 {
	h := panelHead
	for i := 0; i < len(r.Shapes); i += 2 {
		h += r.Shapes[i].height()
	}
	return h
}

// drawLadder draws a panel for each device and driver: in it, for each preset, a bar a rung.
func drawLadder(root, op string) (*canvas, error) {
	reports, err := readLadder(root, op)
	if err != nil {
		return nil, err
	}
	total := ladderTitle
	for _, r := range reports {
		total += r.height()
	}
	c := newCanvas(ladderWidth, total)
	c.bold(30, 24, 13, 0, ink, op+": share of the device's measured peak, rung by rung")
	y := ladderTitle
	for _, r := range reports {
		r.draw(c, y)
		y += r.height()
	}
	return c, nil
}

// draw draws a device's panel from y down.
func (r measured) draw(c *canvas, y float64) {
	var peaks []string
	for _, p := range r.Peaks {
		if p.Unit == "GFLOP/s" {
			peaks = append(peaks, fmt.Sprintf("%s %.3g %s", p.Name, p.Rate, p.Unit))
		}
	}
	c.bold(30, y+18, 11.5, 0, ink, r.Driver)
	c.write(30, y+34, 10.5, 0, soft, fmt.Sprintf("%s, commit %s; peak: %s; light bars: fp16 operands", r.Date, r.Commit,
		strings.Join(peaks, ", ")))
	y += panelHead
	for i, s := range r.Shapes {
		s.draw(c, 30+float64(i%2)*shapeWidth, y)
		if i%2 == 1 {
			y += s.height()
		}
	}
}

// draw draws a preset's bars, with lines at nothing, half and all of the peak.
func (s measuredShape) draw(c *canvas, x, y float64) {
	c.bold(x, y+10, 10.5, 0, ink, s.Preset)
	c.write(x+56, y+10, 10, 0, soft, s.Text)
	top := y + 18
	bottom := top + float64(len(s.Rungs))*barHeight
	for _, share := range []float64{0, 0.5, 1} {
		at := x + barLeft + barLong*share
		c.path(rule, 0.75, at, top, at, bottom)
		c.write(at, bottom+10, 8.5, 0.5, soft, fmt.Sprintf("%.0f %%", 100*share))
	}
	for j, g := range s.Rungs {
		at := top + float64(j)*barHeight
		var fill color.Color = blue
		if g.Operands != "fp32" {
			fill = color.RGBA{0x8f, 0xb9, 0xe3, 0xff}
		}
		c.write(x+barLeft-6, at+barHeight-3, 9.5, 1, ink, g.Rung)
		length := barLong * min(g.Share, 1)
		c.rect(x+barLeft, at+2, max(length, 0.75), barHeight-4, fill, nil)
		c.write(x+barLeft+length+5, at+barHeight-3, 9.5, 0, soft, fmt.Sprintf("%.3g GFLOP/s", g.GFLOPs))
	}
}
