// SPDX-License-Identifier: MIT

// Package ode solves first-order ordinary differential equations dy/dx = f(x, y) by walking a grid of x.
//
// Solve is the walk: it knows the grid and nothing of y, so y can live anywhere. For the flow it lies on the device, x is the
// flow time tau, and a step replays recorded programs. Euler and Heun are the same walk over plain Go vectors, for tests and for
// learners. Read Solve first.
//
// A bad grid or a vector of the wrong length panics; the only errors are those of the step itself. Imports nothing of ours.
package ode
