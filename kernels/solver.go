// SPDX-License-Identifier: MIT

package kernels

import "jitvk/engine"

// What sampling does with a network's prediction u at flow time tau, once it is there. With z = tau x + (1 - tau) eps and
// v = dz/dtau = x - eps, u being one of x, eps, v (JiT, arXiv 2511.13720, table 1, with its clamp c):
//
//	Predict   velocity v                  image x
//	X         (u - z)/max(1 - tau, c)     u
//	Eps       (z - u)/max(tau, c)         (z - (1 - tau) u)/max(tau, c)
//	V         u                           z + (1 - tau) u

// SolverOptions are the constants of EulerStep, HeunStep and CleanImage.
type SolverOptions struct {
	Predict  Kind    // what u is
	TauClamp float32 // what is divided by is at least this; JiT takes 0.05
}

type solverPush struct {
	Count    uint32
	TauClamp float32
}

// EulerStep is z += dt v(z, u, tau), tau and dt from the step buffer. z, u (B,…).
func EulerStep(p *engine.Program, z, u, step Tensor, o SolverOptions) {
	o.check("EulerStep")
	flat(p, "EulerStep", func(n int, t []Tensor) {
		push := solverPush{uint32(n), o.TauClamp}
		elementwise(p, "eulerstep", n, push, []uint32{uint32(o.Predict), vec(p, n)}, t[0].ReadWrite(), t[1].Read(),
			step.stepBuffer("EulerStep"))
	}, z, u)
}

// HeunStep completes Heun's step, the trapezoid rule with the end found by Euler's: z = (start + z + dt v(z, u, tau))/2,
// where start is z before the EulerStep of the same dt, and u and tau belong to z after it. z, start, u (B,…).
func HeunStep(p *engine.Program, z, start, u, step Tensor, o SolverOptions) {
	o.check("HeunStep")
	flat(p, "HeunStep", func(n int, t []Tensor) {
		push := solverPush{uint32(n), o.TauClamp}
		elementwise(p, "heunstep", n, push, []uint32{uint32(o.Predict), vec(p, n)}, t[0].ReadWrite(), t[1].Read(), t[2].Read(),
			step.stepBuffer("HeunStep"))
	}, z, start, u)
}

// CleanImage is the image x(z, u, tau) at the end of the flow if the velocity stayed what u says. x, z, u (B,…).
func CleanImage(p *engine.Program, x, z, u, step Tensor, o SolverOptions) {
	o.check("CleanImage")
	flat(p, "CleanImage", func(n int, t []Tensor) {
		push := solverPush{uint32(n), o.TauClamp}
		elementwise(p, "cleanimage", n, push, []uint32{uint32(o.Predict), vec(p, n)}, t[0].Write(), t[1].Read(), t[2].Read(),
			step.stepBuffer("CleanImage"))
	}, x, z, u)
}

func (o SolverOptions) check(op string) {
	finite(op, o.TauClamp)
	check(o.TauClamp > 0 && o.Predict <= V, op, "tau clamp %g, above 0 wanted; prediction %d, a Kind wanted", o.TauClamp, o.Predict)
}
