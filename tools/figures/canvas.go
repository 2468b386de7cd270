// SPDX-License-Identifier: MIT

package main

import (
	"image/color"
	"io"
	"math"

	stdfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// The colours of all figures, on white so that they can be read on a dark page, too.
var (
	ink    = color.RGBA{0x1f, 0x29, 0x33, 0xff}
	soft   = color.RGBA{0x62, 0x6d, 0x79, 0xff}
	rule   = color.RGBA{0xd5, 0xda, 0xe0, 0xff}
	pale   = color.RGBA{0xf3, 0xf5, 0xf7, 0xff}
	blue   = color.RGBA{0x1d, 0x5f, 0xa8, 0xff}
	sky    = color.RGBA{0xc9, 0xdd, 0xf2, 0xff}
	orange = color.RGBA{0xc2, 0x5b, 0x1a, 0xff}
	peach  = color.RGBA{0xf7, 0xdc, 0xc6, 0xff}
	green  = color.RGBA{0x2b, 0x7a, 0x4b, 0xff}
	mint   = color.RGBA{0xcd, 0xe8, 0xd6, 0xff}
)

// A canvas is a picture under way: points from the top left corner, two pixels each.
type canvas struct {
	draw.Canvas
	img *vgimg.Canvas
	h   float64
}

func newCanvas(w, h float64) *canvas {
	img := vgimg.NewWith(vgimg.UseWH(vg.Length(w), vg.Length(h)), vgimg.UseDPI(144), vgimg.UseBackgroundColor(color.White))
	return &canvas{draw.New(img), img, h}
}

func (c *canvas) png(w io.Writer) error {
	_, err := vgimg.PngCanvas{Canvas: c.img}.WriteTo(w)
	return err
}

func (c *canvas) at(x, y float64) vg.Point { return vg.Point{X: vg.Length(x), Y: vg.Length(c.h - y)} }

// rect fills and outlines a rectangle; nil leaves either out.
func (c *canvas) rect(x, y, w, h float64, fill, edge color.Color) {
	corners := []vg.Point{c.at(x, y), c.at(x+w, y), c.at(x+w, y+h), c.at(x, y+h)}
	if fill != nil {
		c.FillPolygon(fill, corners)
	}
	if edge != nil {
		c.StrokeLines(draw.LineStyle{Color: edge, Width: 1}, append(corners, corners[0], corners[1]))
	}
}

// path draws a line through points x, y, x, y, ….
func (c *canvas) path(col color.Color, width float64, xy ...float64) {
	var points []vg.Point
	for i := 0; i < len(xy); i += 2 {
		points = append(points, c.at(xy[i], xy[i+1]))
	}
	c.StrokeLines(draw.LineStyle{Color: col, Width: vg.Length(width)}, points)
}

func (c *canvas) arrow(col color.Color, x0, y0, x1, y1 float64) {
	const head, half = 7, 3
	l := math.Hypot(x1-x0, y1-y0)
	dx, dy := (x1-x0)/l, (y1-y0)/l
	c.path(col, 1.5, x0, y0, x1-head*dx, y1-head*dy)
	c.FillPolygon(col, []vg.Point{c.at(x1, y1), c.at(x1-head*dx-half*dy, y1-head*dy+half*dx), c.at(x1-head*dx+half*dy, y1-head*dy-half*dx)})
}

// write puts text with its left end (align 0), middle (0.5) or right end (1) at x, its baseline at y.
func (c *canvas) write(x, y, size, align float64, col color.Color, s string) {
	c.styled(x, y, size, align, col, stdfont.WeightNormal, s)
}

func (c *canvas) bold(x, y, size, align float64, col color.Color, s string) {
	c.styled(x, y, size, align, col, stdfont.WeightBold, s)
}

func (c *canvas) styled(x, y, size, align float64, col color.Color, weight stdfont.Weight, s string) {
	style := text.Style{Handler: plot.DefaultTextHandler, XAlign: text.XAlignment(-align), YAlign: draw.YBottom, Color: col,
		Font: font.Font{Typeface: "Liberation", Variant: "Sans", Weight: weight, Size: vg.Length(size)}}
	descent := style.FontExtents().Descent
	at := c.at(x, y)
	at.Y -= descent
	c.FillText(style, at, s)
}
