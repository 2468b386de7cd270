// SPDX-License-Identifier: MIT

package grid

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"

	"jitvk/engine/files"
)

// Options says how a grid looks. The zero value is the default.
type Options struct {
	Scale      int         // side of the square that one pixel becomes; 0: the smallest at which a picture is 96 pixels or more
	Gap        int         // pixels between pictures and around them; 0: 2; negative: none
	Background color.Color // of gaps and empty places; nil: a dark grey
	// Names beside the rows, one for each, a new line after every comma; and above the columns, each at the first of as many
	// columns as there are for a name.
	Rows, Cols []string
}

const (
	readable   = 96 // pixels on the screen that a picture's longer side should have
	defaultGap = 2
)

var (
	background = color.RGBA{0x2b, 0x2b, 0x2b, 0xff}
	broken     = color.RGBA{0xff, 0x00, 0xff, 0xff} // magenta: a pixel that is NaN or infinite
)

// Draw lays out n pictures (n,3,h,w) in [-1,1], row by row, cols to a row; cols = 0 lets Cols choose. Values outside are
// clamped; v becomes round((v+1)/2*255).
func Draw(images []float32, n, h, w, cols int, o Options) *image.RGBA {
	if n < 1 || h < 1 || w < 1 || cols < 0 || o.Scale < 0 || len(images) != n*3*h*w {
		panic(fmt.Sprintf("grid: Draw: %d floats for images (%d,3,%d,%d) in %d columns at scale %d", len(images), n, h, w, cols, o.Scale))
	}
	if cols == 0 {
		cols = Cols(n)
	}
	if o.Scale == 0 {
		o.Scale = max(1, (readable+max(h, w)-1)/max(h, w))
	}
	switch {
	case o.Gap == 0:
		o.Gap = defaultGap
	case o.Gap < 0:
		o.Gap = 0
	}
	if o.Background == nil {
		o.Background = background
	}

	rows := (n + cols - 1) / cols
	if o.Rows != nil && len(o.Rows) != rows || o.Cols != nil && cols%len(o.Cols) != 0 {
		panic(fmt.Sprintf("grid: Draw: %d names for %d rows, %d for %d columns", len(o.Rows), rows, len(o.Cols), cols))
	}
	cellW, cellH := w*o.Scale+o.Gap, h*o.Scale+o.Gap
	left, top := margins(o)
	dst := image.NewRGBA(image.Rect(0, 0, left+cols*cellW+o.Gap, top+rows*cellH+o.Gap))
	fill(dst, dst.Rect, color.RGBAModel.Convert(o.Background).(color.RGBA))
	for i, name := range o.Rows {
		write(dst, image.Rect(0, top+o.Gap+i*cellH, left, top+(i+1)*cellH), name)
	}
	for i, name := range o.Cols {
		block := cols / len(o.Cols) * cellW
		write(dst, image.Rect(left+i*block, 0, left+(i+1)*block, top), name)
	}
	for i := range n {
		x0, y0 := left+o.Gap+i%cols*cellW, top+o.Gap+i/cols*cellH
		img := images[i*3*h*w : (i+1)*3*h*w] // (3,h,w)
		for y := range h {
			for x := range w {
				at := y*w + x
				c := pixel(img[at], img[h*w+at], img[2*h*w+at])
				left, top := x0+x*o.Scale, y0+y*o.Scale
				fill(dst, image.Rect(left, top, left+o.Scale, top+o.Scale), c)
			}
		}
	}
	return dst
}

// Cols returns the number of columns for n pictures: near a square, a little wider than high, and such that the last row is full
// if that leaves the grid at most 2.5 times as wide as high.
func Cols(n int) int {
	if n < 1 {
		panic(fmt.Sprintf("grid: Cols: %d pictures", n))
	}
	if n <= 3 {
		return n
	}
	square := int(math.Ceil(math.Sqrt(float64(n))))
	for c := square; 2*c*c <= 5*n; c++ { // c/(n/c) <= 5/2
		if n%c == 0 {
			return c
		}
	}
	return square
}

// Save writes m to path as a PNG; the file is whole or not there.
func Save(path string, m image.Image) error {
	return files.AtomicWrite(path, func(w io.Writer) error { return png.Encode(w, m) })
}

// pixel turns three channels in [-1,1] into a colour.
func pixel(r, g, b float32) color.RGBA {
	for _, v := range [3]float32{r, g, b} {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return broken
		}
	}
	return color.RGBA{level(r), level(g), level(b), 0xff}
}

// level rounds (v+1)/2*255 to the nearest integer and clamps it; v is finite.
func level(v float32) uint8 {
	return uint8(min(max((float64(v)+1)/2*255+0.5, 0), 255))
}

// fill paints r, which lies within dst.
func fill(dst *image.RGBA, r image.Rectangle, c color.RGBA) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := dst.Pix[dst.PixOffset(r.Min.X, y):dst.PixOffset(r.Max.X, y)]
		for i := 0; i < len(row); i += 4 {
			row[i], row[i+1], row[i+2], row[i+3] = c.R, c.G, c.B, c.A
		}
	}
}
