// SPDX-License-Identifier: MIT

package ode

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// A method is Euler or Heun.
type method func(f func(x float64, y, dy []float64), y []float64, grid []float64) [][]float64

// sineErrors solves dy/dx = cos x, y(0) = 0 over one period in n steps and returns |y - sin x| at every point.
func sineErrors(solve method, n int) (grid, errs []float64) {
	grid = Grid(0, 2*math.Pi, n)
	path := solve(func(x float64, _, dy []float64) { dy[0] = math.Cos(x) }, []float64{0}, grid)
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
	grid, errs := sineErrors(Euler, n)
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

// Where f does not depend on y, Heun's method is the trapezoid rule. Its sum has no term in h; the next one, -h²/12 sin x, is
// largest at x = pi/2.
func TestSineHeun(t *testing.T) {
	const n = 100
	h := 2 * math.Pi / n
	if _, errs := sineErrors(Heun, n); !(math.Abs(largest(errs)/(h*h/12)-1) < 0.01) {
		t.Errorf("largest error %.5g, want h²/12 = %.5g", largest(errs), h*h/12)
	}
}

func TestSineOrder(t *testing.T) {
	for name, c := range map[string]struct {
		solve method
		want  float64
	}{"Euler": {Euler, 1}, "Heun": {Heun, 2}} {
		for _, n := range []int{50, 100, 200, 400} {
			_, a := sineErrors(c.solve, n)
			_, b := sineErrors(c.solve, 2*n)
			if order := math.Log2(largest(a) / largest(b)); !(math.Abs(order-c.want) <= 0.05) {
				t.Errorf("%s, %d to %d steps: observed order %.3f, want %g", name, n, 2*n, order, c.want)
			}
		}
	}
}

// For dy/dx = -k y, where f depends on y, one step multiplies y by 1 - kh (Euler) or 1 - kh + (kh)²/2 (Heun): the first terms
// of exp(-kh).
func TestDecay(t *testing.T) {
	for name, c := range map[string]struct {
		solve  method
		factor func(kh float64) float64
		order  float64
	}{
		"Euler": {Euler, func(kh float64) float64 { return 1 - kh }, 1},
		"Heun":  {Heun, func(kh float64) float64 { return 1 - kh + kh*kh/2 }, 2},
	} {
		errorAt := func(n int) float64 {
			k := []float64{1, 3}
			f := func(_ float64, y, dy []float64) {
				for j := range y {
					dy[j] = -k[j] * y[j]
				}
			}
			start := []float64{2, -1}
			path := c.solve(f, start, Grid(0, 1, n))
			if start[0] != 2 || start[1] != -1 {
				t.Fatalf("%s: the start was changed to %v", name, start)
			}
			if len(path) != n+1 || path[0][0] != 2 || path[0][1] != -1 {
				t.Fatalf("%s: path of %d points from %v", name, len(path), path[0])
			}
			worst := 0.0
			for j, y := range path[n] {
				if closed := start[j] * math.Pow(c.factor(k[j]/float64(n)), float64(n)); !(math.Abs(y-closed) < 1e-12) {
					t.Errorf("%s, n = %d: y[%d] = %.15g, closed form %.15g", name, n, j, y, closed)
				}
				worst = max(worst, math.Abs(y-start[j]*math.Exp(-k[j])))
			}
			return worst
		}
		if order := math.Log2(errorAt(400) / errorAt(800)); !(math.Abs(order-c.order) <= 0.05) {
			t.Errorf("%s: observed order %.3f, want %g", name, order, c.order)
		}
	}
}

// Heun's method calls f at both ends of a step, the second time where Euler's step ends.
func TestHeunSlopes(t *testing.T) {
	var xs, ys []float64
	path := Heun(func(x float64, y, dy []float64) {
		xs, ys = append(xs, x), append(ys, y[0])
		dy[0] = 1 + x
	}, []float64{3}, []float64{0, 0.5, 2})
	if !slices.Equal(xs, []float64{0, 0.5, 0.5, 2}) || !slices.Equal(ys, []float64{3, 3.5, 3.625, 5.875}) {
		t.Errorf("f was called at x = %v, y = %v", xs, ys)
	}
	if path[1][0] != 3.625 || path[2][0] != 7 { // exact: the slope is linear in x
		t.Errorf("path %v", path)
	}
}

// The flow's own equation with a known image x1: dz/dtau = (x1-z)/(1-tau) is a straight line, which both follow exactly. Its
// slope is 0/0 at tau = 1, where Heun's last step would ask for it: that step is Euler's.
func TestStraightFlow(t *testing.T) {
	const x1 = 0.75
	f := func(tau float64, z, dz []float64) { dz[0] = (x1 - z[0]) / (1 - tau) }
	grid := Grid(0, 1, 7)
	if got := Euler(f, []float64{-2}, grid)[7][0]; !(math.Abs(got-x1) < 1e-14) {
		t.Errorf("Euler's end %.17g, want %g", got, x1)
	}
	path := Heun(f, []float64{-2}, grid[:7])
	if got := Euler(f, path[6], grid[6:])[1][0]; !(math.Abs(got-x1) < 1e-14) {
		t.Errorf("Heun's end %.17g, want %g", got, x1)
	}
}

func TestBackwards(t *testing.T) {
	for _, solve := range []method{Euler, Heun} {
		path := solve(func(x float64, _, dy []float64) { dy[0] = 2 }, []float64{4}, Grid(1, 0, 4))
		if got := path[4][0]; got != 2 {
			t.Errorf("y(0) = %g, want 2", got)
		}
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
