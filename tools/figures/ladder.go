// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
)

// measured is what tools/ladder writes, as far as it is drawn.
type measured struct {
	Op, Device, Driver, Commit, Date string
	Peaks                            []struct {
		Name, Unit string
		Rate       float64
	}
	Shapes []struct {
		Preset, Text string
		Rungs        []struct {
			Rung, Operands string
			GFLOPs, Share  float64
		}
	}
}

// drawLadder draws a panel for each device and driver that docs/kernels/ladder.json has: in it, for each preset, a bar a rung.
func drawLadder(root, op string) (*canvas, error) {
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
	// Two presets beside each other; the height of a panel is that of its rungs.
	const width, bar, gap, head, title = 780.0, 13.0, 26.0, 52.0, 30.0
	heightOf := func(r measured) float64 {
		h := head
		for i := 0; i < len(r.Shapes); i += 2 {
			h += float64(len(r.Shapes[i].Rungs))*bar + gap + 16
		}
		return h
	}
	total := title
	for _, r := range reports {
		total += heightOf(r)
	}
	c := newCanvas(width, total)
	c.bold(30, 24, 13, 0, ink, op+": share of the device's measured peak, rung by rung")
	y := title
	for _, r := range reports {
		peaks := ""
		for i, p := range r.Peaks {
			if p.Unit != "GFLOP/s" {
				continue
			}
			if i > 0 {
				peaks += ", "
			}
			peaks += fmt.Sprintf("%s %.3g %s", p.Name, p.Rate, p.Unit)
		}
		c.bold(30, y+18, 11.5, 0, ink, r.Driver)
		c.write(30, y+34, 10.5, 0, soft, fmt.Sprintf("%s, commit %s; peak: %s; light bars: fp16 operands", r.Date, r.Commit, peaks))
		y += head
		for i, s := range r.Shapes {
			x := 30 + float64(i%2)*380
			c.bold(x, y+10, 10.5, 0, ink, s.Preset)
			c.write(x+56, y+10, 10, 0, soft, s.Text)
			top := y + 18
			const left, long = 84.0, 200.0 // bars begin, and are at 100 %
			for _, share := range []float64{0, 0.5, 1} {
				at := x + left + long*share
				c.path(rule, 0.75, at, top, at, top+float64(len(s.Rungs))*bar)
				c.write(at, top+float64(len(s.Rungs))*bar+10, 8.5, 0.5, soft, fmt.Sprintf("%.0f %%", 100*share))
			}
			for j, g := range s.Rungs {
				at := top + float64(j)*bar
				var fill color.Color = blue
				if g.Operands != "fp32" {
					fill = color.RGBA{0x8f, 0xb9, 0xe3, 0xff}
				}
				c.write(x+left-6, at+bar-3, 9.5, 1, ink, g.Rung)
				length := long * min(g.Share, 1)
				c.rect(x+left, at+2, max(length, 0.75), bar-4, fill, nil)
				c.write(x+left+length+5, at+bar-3, 9.5, 0, soft, fmt.Sprintf("%.3g GFLOP/s", g.GFLOPs))
			}
			if i%2 == 1 || i == len(r.Shapes)-1 {
				y += float64(len(s.Rungs))*bar + gap + 16
			}
		}
	}
	return c, nil
}
