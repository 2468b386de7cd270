// SPDX-License-Identifier: MIT

package ode

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// sineErrors solves dy/dx = cos x, y(0) = 0 over one period in n steps and returns |y - sin x| at every point.
func sineErrors(n int) (grid, errs []float64) {
	grid = Grid(0, 2*math.Pi, n)
	path := Euler(func(x float64, _, dy []float64) { dy[0] = math.Cos(x) }, []float64{0}, grid)
	for i, y := range path {
		errs = append(errs, math.Abs(y[0]-math.Sin(grid[i])))
	}
	return grid, errs
}

func largest(v []float64) float64 {
	m := 0.0
	for _, x := range v {
		m = max(m, x)
	}
	return m
}

// By Taylor's theorem one step adds an error of h²/2 D2y, the second derivative somewhere within the step. Here f does not depend
// on y, so errors add up and do not grow: after x/h steps |error| <= x h/2 max|D2y|, and D2y = -sin x is at most 1.
//
// The sum is an integral of D2y and a rest (Euler and Maclaurin): h/2 (cos x - 1) - h²/12 sin x - h⁴/720 sin x - ...; the first
// term is largest at x = pi: h.
func TestSine(t *testing.T) {
	const n = 100
	h := 2 * math.Pi / n
	grid, errs := sineErrors(n)
	for i, e := range errs {
		if bound := grid[i]*h/2 + 1e-13; !(e <= bound) {
			t.Errorf("x = %.3f: error %.3g > bound %.3g", grid[i], e, bound)
		}
		if leading := h / 2 * (1 - math.Cos(grid[i])); !(math.Abs(e-leading) <= h*h/12+math.Pow(h, 4)/360) {
			t.Errorf("x = %.3f: error %.6g, Euler's leading term %.6g", grid[i], e, leading)
		}
	}
	if m := largest(errs); !(math.Abs(m/h-1) < 0.01) {
		t.Errorf("largest error %.5g, want h = %.5g", m, h)
	}
	t.Logf("%d steps: largest error %.4f, h = %.4f", n, largest(errs), h)
}

func TestSineOrder(t *testing.T) {
	for _, n := range []int{50, 100, 200, 400} {
		_, a := sineErrors(n)
		_, b := sineErrors(2 * n)
		order := math.Log2(largest(a) / largest(b))
		if !(math.Abs(order-1) <= 0.05) {
			t.Errorf("%d to %d steps: observed order %.3f, want 1", n, 2*n, order)
		}
	}
}

// dy/dx = -k y has Euler's closed form y0 (1-kh)^i, and here f depends on y.
func TestDecay(t *testing.T) {
	errorAt := func(n int) float64 {
		k := []float64{1, 3}
		f := func(_ float64, y, dy []float64) {
			for j := range y {
				dy[j] = -k[j] * y[j]
			}
		}
		start := []float64{2, -1}
		path := Euler(f, start, Grid(0, 1, n))
		if start[0] != 2 || start[1] != -1 {
			t.Fatalf("the start was changed to %v", start)
		}
		if len(path) != n+1 || path[0][0] != 2 || path[0][1] != -1 {
			t.Fatalf("path of %d points from %v", len(path), path[0])
		}
		worst := 0.0
		for j, y := range path[n] {
			if closed := start[j] * math.Pow(1-k[j]/float64(n), float64(n)); !(math.Abs(y-closed) < 1e-12) {
				t.Errorf("n = %d: y[%d] = %.15g, closed form %.15g", n, j, y, closed)
			}
			worst = max(worst, math.Abs(y-start[j]*math.Exp(-k[j])))
		}
		return worst
	}
	if order := math.Log2(errorAt(400) / errorAt(800)); !(math.Abs(order-1) <= 0.05) {
		t.Errorf("observed order %.3f, want 1", order)
	}
}

// The flow's own equation with a known image x1: dz/dtau = (x1-z)/(1-tau) is a straight line, which Euler follows exactly.
func TestStraightFlow(t *testing.T) {
	const x1 = 0.75
	path := Euler(func(tau float64, z, dz []float64) { dz[0] = (x1 - z[0]) / (1 - tau) }, []float64{-2}, Grid(0, 1, 7))
	if got := path[7][0]; !(math.Abs(got-x1) < 1e-14) {
		t.Errorf("end %.17g, want %g", got, x1)
	}
}

func TestBackwards(t *testing.T) {
	path := Euler(func(x float64, _, dy []float64) { dy[0] = 2 }, []float64{4}, Grid(1, 0, 4))
	if got := path[4][0]; got != 2 {
		t.Errorf("y(0) = %g, want 2", got)
	}
}

func TestGrid(t *testing.T) {
	g := Grid(0.1, 0.7, 3)
	if len(g) != 4 || g[0] != 0.1 || g[3] != 0.7 || !(math.Abs(g[1]-0.3) < 1e-15) {
		t.Errorf("Grid(0.1, 0.7, 3) = %v", g)
	}
}

func TestSolve(t *testing.T) {
	grid := []float64{0, 0.5, 2}
	var xs, dxs []float64
	if err := Solve(grid, func(i int, x, dx float64) error {
		if i != len(xs) {
			t.Errorf("step %d came as number %d", i, len(xs))
		}
		xs, dxs = append(xs, x), append(dxs, dx)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(xs) != 2 || xs[0] != 0 || xs[1] != 0.5 || dxs[0] != 0.5 || dxs[1] != 1.5 {
		t.Errorf("steps x = %v, dx = %v", xs, dxs)
	}
	lost, calls := errors.New("device lost"), 0
	err := Solve(grid, func(int, float64, float64) error { calls++; return lost })
	if !errors.Is(err, lost) || calls != 1 || !strings.Contains(err.Error(), "step 1 of 2") {
		t.Errorf("after %d calls: %v", calls, err)
	}
}

func TestBadGridsPanic(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	walk := func(g ...float64) func() {
		return func() { _ = Solve(g, func(int, float64, float64) error { return nil }) }
	}
	for name, f := range map[string]func(){
		"no points": walk(), "one point": walk(0), "equal": walk(0, 0), "turns": walk(0, 1, 0.5), "stays": walk(0, 1, 1),
		"turns up": walk(1, 0, 2), "NaN": walk(0, nan, 1), "NaN first": walk(nan, 1), "Inf": walk(0, inf),
		"zero steps": func() { Grid(0, 1, 0) }, "no length": func() { Grid(1, 1, 3) }, "Grid NaN": func() { Grid(0, nan, 3) },
		"Euler": func() { Euler(func(float64, []float64, []float64) {}, []float64{1}, []float64{0}) },
	} {
		func() {
			defer func() {
				if s, ok := recover().(string); !ok || !strings.HasPrefix(s, "ode: ") {
					t.Errorf("%s: no panic of ours: %v", name, s)
				}
			}()
			f()
		}()
	}
}
