// SPDX-License-Identifier: MIT

package ode

import (
	"fmt"
	"math"
)

// Grid returns the n+1 equally spaced points of n steps from from to to; both ends are exact. It runs backwards if to < from.
func Grid(from, to float64, n int) []float64 {
	if n < 1 {
		panic(fmt.Sprintf("ode: Grid: %d steps: at least 1 is needed", n))
	}
	grid := make([]float64, n+1)
	for i := range grid {
		grid[i] = from + (to-from)*float64(i)/float64(n)
	}
	grid[n] = to
	check(grid)
	return grid
}

// Solve calls step for every interval of the grid, in order: step i starts at x = grid[i] and is to take y to x+dx = grid[i+1].
// A method is what a step does with them: Euler's evaluates dy/dx once, at x, Heun's a second time at x+dx. The first error ends the walk.
//
// The grid has at least two points, all finite, strictly rising or strictly falling.
func Solve(grid []float64, step func(i int, x, dx float64) error) error {
	check(grid)
	for i, x := range grid[:len(grid)-1] {
		if err := step(i, x, grid[i+1]-x); err != nil {
			return fmt.Errorf("ode: step %d of %d, at x = %g: %w", i+1, len(grid)-1, x, err)
		}
	}
	return nil
}

// Euler solves dy/dx = f(x, y) from y at grid[0] with Euler's method, y(x+dx) = y(x) + dx f(x, y(x)), and returns y at every
// point of the grid, the start first: path (len(grid), len(y)). f puts the derivative into dy; y is not changed.
//
// One step errs by dx²/2 times the second derivative of y, so the error at the end falls in proportion to dx: order 1.
func Euler(f func(x float64, y, dy []float64), y []float64, grid []float64) (path [][]float64) {
	return walk(y, grid, func(x, dx float64, y, next []float64) {
		f(x, y, next)
		for j, slope := range next {
			next[j] = y[j] + dx*slope
		}
	})
}

// Heun solves the same with Heun's method: an Euler step to y', and then the mean of the slopes at both of its ends,
// y(x+dx) = y(x) + dx (f(x, y(x)) + f(x+dx, y'))/2. f is called twice a step, and the error at the end falls with dx²: order 2.
func Heun(f func(x float64, y, dy []float64), y []float64, grid []float64) (path [][]float64) {
	slope, end := make([]float64, len(y)), make([]float64, len(y))
	return walk(y, grid, func(x, dx float64, y, next []float64) {
		f(x, y, slope)
		for j := range next {
			next[j] = y[j] + dx*slope[j]
		}
		f(x+dx, next, end)
		for j := range next {
			next[j] = y[j] + dx*(slope[j]+end[j])/2
		}
	})
}

// walk returns y at every point of the grid; step puts what follows y into next, which holds nothing yet.
func walk(y []float64, grid []float64, step func(x, dx float64, y, next []float64)) [][]float64 {
	path := make([][]float64, 1, len(grid)+1)
	path[0] = append([]float64(nil), y...)
	err := Solve(grid, func(i int, x, dx float64) error {
		next := make([]float64, len(y))
		step(x, dx, path[i], next)
		path = append(path, next)
		return nil
	})
	if err != nil {
		panic(err) // cannot be: the step above returns none
	}
	return path
}

// check panics unless grid is one that Solve can walk.
func check(grid []float64) {
	if len(grid) < 2 {
		panic(fmt.Sprintf("ode: grid of %d points: at least 2 are needed", len(grid)))
	}
	rising := grid[1] > grid[0]
	for i, x := range grid {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			panic(fmt.Sprintf("ode: grid[%d] = %g is not finite", i, x))
		}
		if i > 0 && (x == grid[i-1] || x > grid[i-1] != rising) {
			panic(fmt.Sprintf("ode: grid[%d] = %g after %g: the points must strictly rise or strictly fall", i, x, grid[i-1]))
		}
	}
}
