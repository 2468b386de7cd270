// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"image/color"
	"math"

	stdfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// OrderPlot is a picture of how errors fall with the work spent: panels side by side, with logarithmic axes of one height.
type OrderPlot struct {
	Title, Note string
	X, Y        string // what the axes show
	Panels      []OrderPanel
	Names       []string // of the curves, in each panel the same
}

// OrderPanel is one set of curves.
type OrderPanel struct {
	Title  string
	X      []float64   // above 0, rising
	Curves [][]float64 // of each name, a value for each X
	Orders []int       // slope -order, drawn through the curve's last point for the eye; 0: none
}

// SaveOrders draws the panels into a PNG of 1260 x 520. The file is whole or not there. Values that a logarithmic axis cannot
// show are left out.
func SaveOrders(path string, o OrderPlot) error { return savePNG(path, drawOrders(o)) }

func drawOrders(o OrderPlot) *vgimg.Canvas {
	const width, height = 1260, 520 // pixels
	styles := []draw.LineStyle{{Color: curve, Width: 2}, {Color: baseline, Width: 2}}
	y := span{}
	for _, panel := range o.Panels {
		if len(panel.Curves) != len(o.Names) || len(o.Names) > len(styles) {
			panic(fmt.Sprintf("report: SaveOrders: %d curves for %d names, at most %d", len(panel.Curves), len(o.Names), len(styles)))
		}
		for _, c := range panel.Curves {
			for _, q := range visible(panel.X, c) {
				y.add(q.Y)
			}
		}
	}
	m := vgimg.NewWith(vgimg.UseWH(pixels(width), pixels(height)), vgimg.UseDPI(plotDPI), vgimg.UseBackgroundColor(color.White))
	c := draw.New(m)
	top := c.Max.Y - side
	left := key(c, vg.Point{X: c.Max.X - side, Y: top - 3}, o.Names, styles)
	top = write(c, vg.Point{X: side, Y: top}, left-side, o.Title, 16, ink, stdfont.WeightBold) - 6
	top = write(c, vg.Point{X: side, Y: top}, c.Max.X-2*side, o.Note, 11, inkSoft, stdfont.WeightNormal) - 14
	each := (c.Max.X - 2*side) / vg.Length(len(o.Panels))
	for i, panel := range o.Panels {
		p := newPlot("", "") // the axes' names are written below: gonum sets them apart wrongly where axes are logarithmic
		p.X.Min, p.X.Max = panel.X[0]/1.1, panel.X[len(panel.X)-1]*1.1
		p.Y.Min, p.Y.Max = y.log()
		p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
		p.X.Tick.Marker, p.Y.Tick.Marker = plot.TickerFunc(powersOfTwo), plot.TickerFunc(lossTicks)
		for j, values := range panel.Curves {
			at := visible(panel.X, values)
			if order := panel.Orders[j]; order > 0 && len(at) > 0 {
				slope(p, at[len(at)-1], order)
			}
			line(p, at, styles[j])
			p.Add(&plotter.Scatter{XYs: at, GlyphStyle: draw.GlyphStyle{Color: styles[j].Color, Radius: 3, Shape: draw.CircleGlyph{}}})
		}
		x := side + vg.Length(i)*each
		below := write(c, vg.Point{X: x, Y: top}, each-10, panel.Title, 12, ink, stdfont.WeightBold) - 4
		below = write(c, vg.Point{X: x, Y: below}, each-10, o.Y, 10.5, inkSoft, stdfont.WeightNormal) - 6
		area := draw.Crop(c, x-6, x+each-20-c.Max.X, side+8, below-c.Max.Y)
		p.Draw(area)
		data := p.DataCanvas(area)
		name := text.Style{Handler: p.TextHandler, XAlign: draw.XCenter, YAlign: draw.YBottom}
		restyle(&name, 10.5, inkSoft, stdfont.WeightNormal)
		c.FillText(name, vg.Point{X: data.Center().X, Y: side - 8}, o.X)
	}
	return m
}

// visible returns the points that logarithmic axes can show.
func visible(x, y []float64) plotter.XYs {
	var at plotter.XYs
	for i := range x {
		if plottable(float32(y[i])) {
			at = append(at, plotter.XY{X: x[i], Y: y[i]})
		}
	}
	return at
}

// slope draws a thin line that falls with the given power of x to a point, from where it enters the plot.
func slope(p *plot.Plot, to plotter.XY, order int) {
	at := func(x float64) plotter.XY { return plotter.XY{X: x, Y: to.Y * math.Pow(to.X/x, float64(order))} }
	begin := at(max(p.X.Min, to.X*math.Pow(to.Y/p.Y.Max, 1/float64(order))))
	line(p, plotter.XYs{begin, to}, draw.LineStyle{Color: inkSoft, Width: 0.75, Dashes: []vg.Length{4, 3}})
	style := text.Style{Handler: p.TextHandler, XAlign: draw.XRight, YAlign: draw.YTop} // below the line, where nothing is
	restyle(&style, 10.5, inkSoft, stdfont.WeightNormal)
	p.Add(&plotter.Labels{XYs: plotter.XYs{at(to.X / 4)}, Labels: []string{fmt.Sprintf("order %d", order)}, TextStyle: []text.Style{style},
		Offset: vg.Point{X: -3, Y: -2}})
}

// powersOfTwo marks an axis of counts.
func powersOfTwo(lo, hi float64) []plot.Tick {
	var ticks []plot.Tick
	for e := math.Ceil(math.Log2(lo)); math.Exp2(e) <= hi; e++ {
		ticks = append(ticks, plot.Tick{Value: math.Exp2(e), Label: fmt.Sprint(math.Exp2(e))})
	}
	return ticks
}
