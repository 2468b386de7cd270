// SPDX-License-Identifier: MIT

package report

import (
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// falling is a panel whose first curve falls with order 1 and the second with order 2.
func falling() OrderPanel {
	p := OrderPanel{Title: "z at tau = 0.95", Curves: make([][]float64, 2), Orders: []int{1, 2}}
	for x := 4.0; x <= 1024; x *= 2 {
		p.X = append(p.X, x)
		p.Curves[0], p.Curves[1] = append(p.Curves[0], 1/x), append(p.Curves[1], 8/x/x)
	}
	return p
}

func TestSaveOrders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.png")
	bad := falling()
	bad.Curves[0][3], bad.Curves[1][0] = math.NaN(), 0 // are left out
	o := OrderPlot{Title: "Heun beside Euler", Note: "quick", X: "evaluations", Y: "error", Names: []string{"Euler", "Heun"},
		Panels: []OrderPanel{falling(), bad}}
	if err := SaveOrders(path, o); err != nil {
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
	if m.Bounds().Dx() != 1260 || m.Bounds().Dy() != 520 {
		t.Errorf("%v, want 1260 x 520", m.Bounds())
	}
	if first, second := count(m, curve), count(m, baseline); first < 400 || second < 400 {
		t.Errorf("curves of %d and %d pixels", first, second)
	}
	if err := SaveOrders(filepath.Join(path, "x.png"), o); err == nil {
		t.Error("saved into a folder that is not there")
	}
	defer func() {
		if recover() == nil {
			t.Error("a curve without a name: no panic")
		}
	}()
	o.Names = o.Names[:1]
	_ = SaveOrders(path, o)
}
