// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"sort"
	"strconv"

	stdfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"jitvk/engine/files"
)

// LossPlot says what stands on the picture of a loss besides its curve.
type LossPlot struct {
	Title        string  // preset and device
	Note         string  // small, below the title: data, parameters, batch
	Baseline     float64 // a horizontal line at this loss; 0 (or not finite): none
	BaselineName string  // what stands on that line, e.g. "always predicting the mean image"
}

const (
	plotWidth  = 960 // pixels
	plotHeight = 600
	plotDPI    = 96
	mostPoints = 2 * plotWidth // of a curve: more cannot be seen
	side       = vg.Length(24) // points between the picture's edge and what is on it
)

var (
	ink      = color.RGBA{0x1f, 0x29, 0x33, 0xff}
	inkSoft  = color.RGBA{0x62, 0x6d, 0x79, 0xff}
	rule     = color.RGBA{0xe6, 0xe9, 0xed, 0xff}
	curve    = color.RGBA{0x1d, 0x5f, 0xa8, 0xff}
	curveRaw = color.RGBA{0xa9, 0xc5, 0xe4, 0xff}
	baseline = color.RGBA{0xc2, 0x5b, 0x1a, 0xff}
)

// SaveLoss draws the loss by step, the smoothed one over that of each batch, with a logarithmic axis, into a PNG of 960 x 600.
// Values that are not finite or not above zero are left out; the picture says how many. The file is whole or not there.
func SaveLoss(path string, rows []Row, o LossPlot) error {
	return savePNG(path, drawLoss(rows, o))
}

func savePNG(path string, m *vgimg.Canvas) error {
	return files.AtomicWrite(path, func(w io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: m}.WriteTo(w)
		return err
	})
}

func drawLoss(rows []Row, o LossPlot) *vgimg.Canvas {
	raw, smooth := points(rows, func(r Row) float32 { return r.Loss }), points(rows, func(r Row) float32 { return r.Smoothed })
	hasBaseline := plottable(float32(o.Baseline))

	p := newPlot("step", "loss")
	x, y := span{}, span{}
	for _, q := range append(raw, smooth...) {
		x.add(q.X)
		y.add(q.Y)
	}
	if hasBaseline {
		y.add(o.Baseline)
	}
	p.X.Min, p.X.Max = x.linear()
	p.Y.Min, p.Y.Max = y.log()
	p.X.Tick.Marker = plot.TickerFunc(stepTicks)
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(lossTicks)

	thin := draw.LineStyle{Color: curveRaw, Width: 0.75}
	bold := draw.LineStyle{Color: curve, Width: 2.25}
	line(p, raw, thin)
	if hasBaseline {
		at := plotter.XYs{{X: p.X.Min, Y: o.Baseline}, {X: p.X.Max, Y: o.Baseline}}
		line(p, at, draw.LineStyle{Color: baseline, Width: 1.25, Dashes: []vg.Length{5, 4}})
		label(p, at[1], join(o.BaselineName, shortLoss(float32(o.Baseline))), baseline)
	}
	line(p, smooth, bold)

	m := vgimg.NewWith(vgimg.UseWH(pixels(plotWidth), pixels(plotHeight)), vgimg.UseDPI(plotDPI), vgimg.UseBackgroundColor(color.White))
	c := draw.New(m)
	top := c.Max.Y - side
	left := key(c, vg.Point{X: c.Max.X - side, Y: top - 3}, []string{"smoothed", "each batch"}, []draw.LineStyle{bold, thin})
	if o.Title != "" {
		top = write(c, vg.Point{X: side, Y: top}, left-side, o.Title, 16, ink, stdfont.WeightBold) - 6
	}
	note := join(o.Note, latest(smooth), leftOut(rows))
	top = write(c, vg.Point{X: side, Y: top}, c.Max.X-2*side, note, 11, inkSoft, stdfont.WeightNormal)
	p.Draw(draw.Crop(c, side-6, -side, side-8, top-14-c.Max.Y))
	return m
}

// newPlot returns a plot in the style of this package: horizontal rules, and axes that stay in the background.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.White
	p.X.Label.Text, p.Y.Label.Text = x, y
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		restyle(&a.Label.TextStyle, 11, inkSoft, stdfont.WeightNormal)
		restyle(&a.Tick.Label, 10.5, inkSoft, stdfont.WeightNormal)
		a.Label.Padding, a.Padding = 6, 0
		a.LineStyle.Color, a.Tick.LineStyle.Color = inkSoft, inkSoft
		a.LineStyle.Width, a.Tick.LineStyle.Width = 0.75, 0.75
		a.Tick.Length = 4
	}
	p.Y.Tick.Length, p.Y.LineStyle.Width = 0, 0 // the grid does it
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal.Color, grid.Horizontal.Width = rule, 0.75
	p.Add(grid)
	return p
}

// plottable says whether a logarithmic axis can show v; NaN it cannot.
func plottable(v float32) bool { return v > 0 && v <= math.MaxFloat32 }

// points returns step and value of the rows whose value a logarithmic axis can show, at most mostPoints of them: of each run of
// neighbours the smallest and the largest.
func points(rows []Row, value func(Row) float32) plotter.XYs {
	var all plotter.XYs
	for _, r := range rows {
		if v := value(r); plottable(v) {
			all = append(all, plotter.XY{X: float64(r.Step), Y: float64(v)})
		}
	}
	if len(all) <= mostPoints {
		return all
	}
	few := plotter.XYs{all[0]} // the ends stay
	inner, runs := all[1:len(all)-1], (mostPoints-2)/2
	for i := range runs {
		run := inner[i*len(inner)/runs : (i+1)*len(inner)/runs]
		lo, hi := 0, 0
		for j, q := range run {
			if q.Y < run[lo].Y {
				lo = j
			}
			if q.Y > run[hi].Y {
				hi = j
			}
		}
		few = append(few, run[min(lo, hi)])
		if lo != hi {
			few = append(few, run[max(lo, hi)])
		}
	}
	return append(few, all[len(all)-1])
}

// line draws a curve, a dot if it has but one point.
func line(p *plot.Plot, at plotter.XYs, style draw.LineStyle) {
	if len(at) == 1 {
		p.Add(&plotter.Scatter{XYs: at, GlyphStyle: draw.GlyphStyle{Color: style.Color, Radius: style.Width + 1,
			Shape: draw.CircleGlyph{}}})
	}
	// In pieces: the rasterizer's time grows with the square of a path's length.
	const piece = 64
	for len(at) > 1 {
		n := min(piece, len(at)-1)
		p.Add(&plotter.Line{XYs: at[:n+1], LineStyle: style})
		at = at[n:]
	}
}

// key writes the names of some curves beside a sample of each, from right to left and ending at a point, all in one line. It
// returns where there is room to the left of them.
func key(c draw.Canvas, end vg.Point, names []string, styles []draw.LineStyle) vg.Length {
	text := text.Style{Handler: plot.DefaultTextHandler, XAlign: draw.XRight, YAlign: draw.YTop}
	restyle(&text, 10.5, ink, stdfont.WeightNormal)
	for i, name := range names {
		c.FillText(text, end, name)
		end.X -= text.Width(name) + 6
		y := end.Y - text.Height(name)/2
		c.StrokeLine2(styles[i], end.X-24, y, end.X, y)
		end.X -= 24 + 18
	}
	return end.X
}

// label writes s so that it ends a little above a point of the plot.
func label(p *plot.Plot, at plotter.XY, s string, c color.Color) {
	style := text.Style{Handler: p.TextHandler, XAlign: draw.XRight, YAlign: draw.YBottom}
	restyle(&style, 10.5, c, stdfont.WeightNormal)
	p.Add(&plotter.Labels{
		XYs: plotter.XYs{at}, Labels: []string{s}, TextStyle: []text.Style{style}, Offset: vg.Point{X: -4, Y: 4},
	})
}

func restyle(s *text.Style, size vg.Length, c color.Color, weight stdfont.Weight) {
	s.Color = c
	s.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Weight: weight, Size: size}
}

// write puts one line of text with its top left corner at a point, cut where it would be wider than width, and returns the
// height of its bottom.
func write(c draw.Canvas, at vg.Point, width vg.Length, s string, size vg.Length, ink color.Color, weight stdfont.Weight) vg.Length {
	style := text.Style{Handler: plot.DefaultTextHandler, XAlign: draw.XLeft, YAlign: draw.YTop}
	restyle(&style, size, ink, weight)
	if r := []rune(s); style.Width(s) > width {
		n := sort.Search(len(r), func(n int) bool { return style.Width(string(r[:n+1])+"…") > width })
		s = string(r[:n]) + "…"
	}
	c.FillText(style, at, s)
	return at.Y - style.Height(s)
}

func pixels(n int) vg.Length { return vg.Length(n) * vg.Inch / plotDPI }

// latest says where the curve ends.
func latest(at plotter.XYs) string {
	if len(at) == 0 {
		return "no loss yet"
	}
	q := at[len(at)-1]
	return fmt.Sprintf("loss %s at step %s", shortLoss(float32(q.Y)), Count(int64(q.X)))
}

// leftOut says how many rows points had to leave out.
func leftOut(rows []Row) string {
	n := 0
	for _, r := range rows {
		if !plottable(r.Loss) {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%s of %s values not finite or not positive", Count(int64(n)), Count(int64(len(rows))))
}

func join(parts ...string) string {
	s := ""
	for _, part := range parts {
		if part != "" && s != "" {
			s += "  ·  "
		}
		s += part
	}
	return s
}

// span is the range of some values.
type span struct {
	min, max float64
	any      bool
}

func (s *span) add(v float64) {
	if !s.any {
		*s = span{v, v, true}
	}
	s.min, s.max = min(s.min, v), max(s.max, v)
}

// linear returns the range for a linear axis of steps, never empty.
func (s *span) linear() (float64, float64) {
	switch {
	case !s.any:
		return 0, 1
	case s.min == s.max:
		return s.min - 1, s.max + 1
	case s.min > 0 && s.min < 0.05*s.max:
		return 0, s.max // the first step is 1, the axis begins at 0
	}
	return s.min, s.max
}

// log returns the range for a logarithmic axis, with some air, never empty.
func (s *span) log() (float64, float64) {
	if !s.any {
		return 0.1, 1
	}
	air := max(math.Pow(s.max/s.min, 0.04), 1.05)
	return max(s.min/air, math.SmallestNonzeroFloat64), min(s.max*air, math.MaxFloat64)
}

// stepTicks puts five to ten marks at round whole numbers.
func stepTicks(lo, hi float64) []plot.Tick {
	d := max(round125((hi-lo)/10), 1)
	var ticks []plot.Tick
	for v := math.Ceil(lo/d) * d; v <= hi; v += d {
		ticks = append(ticks, plot.Tick{Value: v, Label: Count(int64(v))})
	}
	return ticks
}

// lossTicks marks a logarithmic axis: powers of ten if it spans many, 1-2-5 within each if it spans a few, and equal differences
// if it spans less than one.
func lossTicks(lo, hi float64) []plot.Tick {
	var ticks []plot.Tick
	decades := math.Log10(hi / lo)
	if decades < 1 {
		d := round125((hi - lo) / 8)
		places := max(0, int(-math.Floor(math.Log10(d)+1e-9))) // as many for all
		for i := math.Ceil(lo / d); i*d <= hi; i++ {
			ticks = append(ticks, plot.Tick{Value: i * d, Label: strconv.FormatFloat(i*d, 'f', places, 64)})
		}
		return ticks
	}
	mark := func(v float64) {
		if v >= lo && v <= hi {
			ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 6, 64)})
		}
	}
	every, digits := 1, []float64{1, 2, 5}
	switch {
	case decades < 1.6:
		digits = []float64{1, 1.5, 2, 3, 5, 7}
	case decades > 3:
		every, digits = int(math.Ceil(decades/8)), []float64{1}
	}
	for e := int(math.Floor(math.Log10(lo))); e <= int(math.Ceil(math.Log10(hi))); e++ {
		if e%every != 0 {
			continue
		}
		for _, digit := range digits {
			mark(times10(digit, e))
		}
	}
	return ticks
}

// times10 returns digits·10^e, rounded once: 0.2 and not 0.2000…1.
func times10(digits float64, e int) float64 {
	v, _ := strconv.ParseFloat(fmt.Sprintf("%ge%d", digits, e), 64) // out of range it is 0 or +Inf: on no axis
	return v
}

// round125 rounds v > 0 up to 1, 2 or 5 times a power of ten.
func round125(v float64) float64 {
	e := int(math.Floor(math.Log10(v)))
	for _, digit := range []float64{1, 2, 5} {
		if r := times10(digit, e); r >= v {
			return r
		}
	}
	return times10(1, e+1)
}
