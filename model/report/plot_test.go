// SPDX-License-Identifier: MIT

package report

import (
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func smoothed(rows []Row) []Row {
	var s smoother
	for i := range rows {
		rows[i].Smoothed = s.add(rows[i].Loss)
	}
	return rows
}

// count returns how many pixels of m have colour c.
func count(m image.Image, c color.RGBA) int {
	flat := image.NewRGBA(m.Bounds())
	draw.Draw(flat, flat.Rect, m, m.Bounds().Min, draw.Src)
	n := 0
	for i := 0; i < len(flat.Pix); i += 4 {
		if [4]uint8(flat.Pix[i:]) == [4]uint8{c.R, c.G, c.B, c.A} {
			n++
		}
	}
	return n
}

func TestSaveLoss(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "loss.png")
	o := LossPlot{Title: "quick on llvmpipe", Note: "built-in faces", Baseline: 0.8, BaselineName: "always predicting the mean image"}
	if err := SaveLoss(path, smoothed(curveRows(3000)), o); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if m.Bounds().Dx() != 960 || m.Bounds().Dy() != 600 {
		t.Errorf("%v, want 960 x 600", m.Bounds())
	}
	for name, c := range map[string]color.RGBA{"smoothed": curve, "raw": curveRaw, "baseline": baseline} {
		if n := count(m, c); n < 400 {
			t.Errorf("%s: %d pixels", name, n)
		}
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("folder holds %v, %v", list, err)
	}
	if err := SaveLoss(filepath.Join(dir, "missing", "loss.png"), nil, o); err == nil {
		t.Error("saved into a folder that is not there")
	}
}

// A falling curve is high on the left and low on the right, and on a logarithmic axis an exponential is a straight line.
func TestExponentialIsStraight(t *testing.T) {
	var rows []Row
	for i := range 500 {
		v := float32(math.Exp(-float64(i) / 100))
		rows = append(rows, Row{Step: i + 1, Loss: v, Smoothed: v})
	}
	m := drawLoss(rows, LossPlot{}).Image()
	height := func(x int) float64 { // centre of the curve in column x, below the key
		sum, n := 0, 0
		for y := 80; y < 600; y++ {
			if color.RGBAModel.Convert(m.At(x, y)) == curve {
				sum, n = sum+y, n+1
			}
		}
		return float64(sum) / float64(n)
	}
	a, b, c := height(200), height(450), height(700)
	if !(c > b+50 && b > a+50 && math.Abs(a+c-2*b) < 2) {
		t.Errorf("heights %.1f, %.1f, %.1f are no falling line", a, b, c)
	}
}

func TestSaveLossNeverPanics(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	steps := func(losses ...float32) []Row {
		var rows []Row
		for i, v := range losses {
			rows = append(rows, Row{Step: i + 1, Loss: v, Smoothed: v})
		}
		return rows
	}
	long := strings.Repeat("long ", 100)
	for name, rows := range map[string][]Row{
		"none": nil, "one": steps(0.5), "two equal": steps(0.5, 0.5), "NaN": steps(nan), "all bad": steps(nan, inf, -inf, 0, -1),
		"one good": steps(nan, 0.5, inf, 0), "extremes": steps(math.MaxFloat32, math.SmallestNonzeroFloat32),
		"tiny": steps(math.SmallestNonzeroFloat32),
		"huge": steps(math.MaxFloat32), "wide": steps(1e-7, 1e9), "narrow": steps(1, 1.0000001), "late": {{Step: 1 << 40, Loss: 1}},
	} {
		for _, b := range []float64{0, 0.8, math.NaN(), math.Inf(1), -1, 1e300, 1e-300} {
			m := drawLoss(rows, LossPlot{Title: long, Note: long, Baseline: b}).Image()
			if n := count(m, inkSoft); n < 20 {
				t.Errorf("%s, baseline %g: no axis (%d pixels)", name, b, n)
			}
		}
	}
}

func TestBadValuesAreLeftOutAndCounted(t *testing.T) {
	rows := []Row{{Step: 1, Loss: float32(math.NaN())}, {Step: 2, Loss: 3}, {Step: 3, Loss: float32(math.Inf(1))}, {Step: 4},
		{Step: 5, Loss: 2}}
	got := points(rows, func(r Row) float32 { return r.Loss })
	if len(got) != 2 || got[0].X != 2 || got[0].Y != 3 || got[1].X != 5 || got[1].Y != 2 {
		t.Errorf("points %v", got)
	}
	if s := leftOut(rows); s != "3 of 5 values not finite or not positive" {
		t.Error(s)
	}
	if s := leftOut(rows[1:2]); s != "" {
		t.Error(s)
	}
}

// Thinning keeps the ends and every peak.
func TestThinning(t *testing.T) {
	rows := curveRows(100_000)
	rows[54_321].Loss, rows[77_777].Loss = 50, 0.001
	got := points(rows, func(r Row) float32 { return r.Loss })
	if len(got) > mostPoints || len(got) < mostPoints/2 {
		t.Errorf("%d points", len(got))
	}
	peaks := 0
	for i, q := range got {
		if i > 0 && q.X <= got[i-1].X {
			t.Fatalf("steps %g, %g", got[i-1].X, q.X)
		}
		if q.X == 54_322 && q.Y == 50 || q.X == 77_778 {
			peaks++
		}
	}
	if peaks != 2 || got[0].X != 1 || got[len(got)-1].X != 100_000 {
		t.Errorf("%d of 2 peaks, from %g to %g", peaks, got[0].X, got[len(got)-1].X)
	}
}

func TestTicks(t *testing.T) {
	labels := func(lo, hi float64) string {
		var s []string
		for _, tick := range lossTicks(lo, hi) {
			s = append(s, tick.Label)
		}
		return strings.Join(s, " ")
	}
	for _, c := range []struct {
		lo, hi float64
		want   string
	}{
		{0.12, 1.4, "0.15 0.2 0.3 0.5 0.7 1"},
		{0.1, 30, "0.1 0.2 0.5 1 2 5 10 20"},
		{0.555, 0.615, "0.56 0.57 0.58 0.59 0.60 0.61"},
		{0.17, 0.9, "0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9"},
		{1e-3, 20, "0.001 0.01 0.1 1 10"},
	} {
		if got := labels(c.lo, c.hi); got != c.want {
			t.Errorf("%g to %g: %s, want %s", c.lo, c.hi, got, c.want)
		}
	}
	for _, hi := range []float64{1, 2, 7, 10, 99, 450, 2000, 123456, 5e6} {
		ticks := stepTicks(0, hi)
		if len(ticks) < 2 || len(ticks) > 11 || ticks[0].Label != "0" {
			t.Errorf("0 to %g: %v", hi, ticks)
		}
	}
	for e := -40; e < 40; e++ { // some, but not a crowd, at every scale
		for _, ratio := range []float64{1.11, 2, 9, 11, 50, 900, 1100, 1e9} {
			lo := 1.3 * math.Pow(10, float64(e))
			if n := len(lossTicks(lo, lo*ratio)); n < 2 || n > 12 {
				t.Errorf("%g times %g: %d ticks", lo, ratio, n)
			}
		}
	}
}
