// SPDX-License-Identifier: MIT

package report

import (
	"image/color"
	"slices"

	stdfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Curve is a run's loss by step.
type Curve struct {
	Name string
	Rows []Row
}

// curveColors tell the curves apart, for those who see few colours too (Okabe and Ito); a fifth curve begins again.
var curveColors = []color.RGBA{{0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff}}

// SaveLosses draws the smoothed losses of several runs, and how each ends, into a PNG of 960 x 600, as SaveLoss draws one.
func SaveLosses(path, title string, curves []Curve) error {
	p := newPlot("step", "loss, smoothed")
	x, y := span{}, span{}
	var names []string
	var styles []draw.LineStyle
	for i, c := range curves {
		at := points(c.Rows, func(r Row) float32 { return r.Smoothed })
		for _, q := range at {
			x.add(q.X)
			y.add(q.Y)
		}
		name := c.Name
		if len(at) > 0 {
			name += ": " + shortLoss(float32(at[len(at)-1].Y))
		}
		names = append(names, name)
		// Later curves are thinner, so that one that hides another is seen to do so.
		styles = append(styles, draw.LineStyle{Color: curveColors[i%len(curveColors)], Width: vg.Length(2 * (len(curves) - i))})
		line(p, at, styles[i])
	}
	p.X.Min, p.X.Max = x.linear()
	p.Y.Min, p.Y.Max = y.log()
	p.X.Tick.Marker = plot.TickerFunc(stepTicks)
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(lossTicks)

	m := vgimg.NewWith(vgimg.UseWH(pixels(plotWidth), pixels(plotHeight)), vgimg.UseDPI(plotDPI), vgimg.UseBackgroundColor(color.White))
	c := draw.New(m)
	top := write(c, vg.Point{X: side, Y: c.Max.Y - side}, c.Max.X-2*side, title, 14, ink, stdfont.WeightBold) - 4
	slices.Reverse(names) // the key is written from right to left
	slices.Reverse(styles)
	key(c, vg.Point{X: c.Max.X - side, Y: top - 3}, names, styles)
	p.Draw(draw.Crop(c, side-6, -side, side-8, top-26-c.Max.Y))
	return savePNG(path, m)
}
