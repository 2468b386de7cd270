// SPDX-License-Identifier: MIT

package kernels_test

import (
	"fmt"
	"math"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

const tauClamp = float32(0.05)

// velocityTerms is what a z and b u of the velocity a z + b u come to in magnitude: where they cancel, rounding is as large.
func velocityTerms(k kernels.Kind, z, u, tau float64) float64 {
	a, b := ref.Velocity(k.String(), 1, 0, tau, float64(tauClamp)), ref.Velocity(k.String(), 0, 1, tau, float64(tauClamp))
	return math.Abs(a*z) + math.Abs(b*u)
}

// imageTerms is the same for the image.
func imageTerms(k kernels.Kind, z, u, tau float64) float64 {
	x := make([]float64, 2)
	ref.CleanImage(x, []float64{z, 0}, []float64{0, u}, k.String(), tau, float64(tauClamp))
	return math.Abs(x[0]) + math.Abs(x[1])
}

// TestSolver runs one step of each solver, and the image, for every kind of prediction, at both clamps and between.
func TestSolver(t *testing.T) {
	for i, n := range flatSizes {
		for _, k := range kinds {
			rnd := kerneltest.NewRand(uint64(n))
			z, start, u := rnd.Normal(n), rnd.Normal(n), rnd.Normal(n)
			s := kernels.Step{Tau: []float32{0, 0.01, 0.5, 0.97, 1}[i%5], DT: 0.02}
			o := kernels.SolverOptions{Predict: k, TauClamp: tauClamp}
			got := stable(t, limit(n), func(h *kerneltest.Run) (func(*engine.Program), []kernels.Tensor) {
				zE, zH, x, step := h.Input(z, n), h.Input(z, n), h.Output(n), h.Step(s)
				startT, ut := h.Input(start, n), h.Input(u, n)
				return func(p *engine.Program) {
					kernels.CleanImage(p, x, zE, ut, step, o)
					kernels.EulerStep(p, zE, ut, step, o)
					kernels.HeunStep(p, zH, startT, ut, step, o)
				}, []kernels.Tensor{zE, zH, x}
			})
			z64, start64, u64 := kerneltest.Widen(z), kerneltest.Widen(start), kerneltest.Widen(u)
			tau, dt, c := float64(s.Tau), float64(s.DT), float64(tauClamp)
			euler, heun, x := append([]float64{}, z64...), append([]float64{}, z64...), make([]float64, n)
			ref.CleanImage(x, z64, u64, k.String(), tau, c)
			ref.EulerStep(euler, u64, k.String(), tau, dt, c)
			ref.HeunStep(heun, start64, u64, k.String(), tau, dt, c)
			terms := [3][]float64{}
			for j := range z64 {
				v := dt * velocityTerms(k, z64[j], u64[j], tau)
				terms[0] = append(terms[0], math.Abs(z64[j])+v)
				terms[1] = append(terms[1], (math.Abs(start64[j])+math.Abs(z64[j])+v)/2)
				terms[2] = append(terms[2], imageTerms(k, z64[j], u64[j], tau))
			}
			for j, want := range [][]float64{euler, heun, x} {
				op := []string{"EulerStep", "HeunStep", "CleanImage"}[j]
				name := fmt.Sprintf("%s, predicting %v, tau %g", op, k, s.Tau)
				kerneltest.Check(t, kerneltest.Case{Op: op, Name: name}, got[j], want, kerneltest.Bound{Rel: 1e-6, Terms: terms[j]})
			}
		}
	}
}

// TestKindsAgree: whichever of image, noise and velocity a perfect network predicts, the step and the image are the same
// where nothing is clamped.
func TestKindsAgree(t *testing.T) {
	const n, tau = 200, 0.4
	rnd := kerneltest.NewRand(5)
	x, eps := rnd.Normal(n), rnd.Normal(n)
	z, v := make([]float32, n), make([]float32, n)
	want := make([]float64, n)
	for i := range z {
		z[i], v[i] = tau*x[i]+(1-tau)*eps[i], x[i]-eps[i]
		want[i] = float64(z[i]) + 0.1*(float64(x[i])-float64(eps[i]))
	}
	for k, u := range map[kernels.Kind][]float32{kernels.X: x, kernels.Eps: eps, kernels.V: v} {
		h := kerneltest.New(t)
		zt, xt, ut, step := h.Input(z, n), h.Output(n), h.Input(u, n), h.Step(kernels.Step{Tau: tau, DT: 0.1})
		h.Run(func(p *engine.Program) {
			o := kernels.SolverOptions{Predict: k, TauClamp: tauClamp}
			kernels.CleanImage(p, xt, zt, ut, step, o)
			kernels.EulerStep(p, zt, ut, step, o)
		})
		at := kerneltest.Bound{Abs: 1e-5}
		kerneltest.Check(t, kerneltest.Case{Op: "EulerStep", Name: "z from " + k.String()}, h.Floats(zt), want, at)
		kerneltest.Check(t, kerneltest.Case{Op: "CleanImage", Name: "x from " + k.String()}, h.Floats(xt), kerneltest.Widen(x), at)
	}
}

func TestSolverMisuse(t *testing.T) {
	h := kerneltest.New(t)
	z, short, step := h.Output(6), h.Output(5), h.Step(kernels.Step{})
	ok := kernels.SolverOptions{TauClamp: tauClamp}
	for _, o := range []kernels.SolverOptions{{}, {TauClamp: float32(math.NaN())}, {Predict: kernels.V + 1, TauClamp: 1}} {
		mustPanic(t, "kernels: EulerStep: ", func(p *engine.Program) { kernels.EulerStep(p, z, z, step, o) })
	}
	mustPanic(t, "kernels: EulerStep", func(p *engine.Program) { kernels.EulerStep(p, z, short, step, ok) })
	mustPanic(t, "kernels: HeunStep", func(p *engine.Program) { kernels.HeunStep(p, z, short, z, step, ok) })
	mustPanic(t, "kernels: CleanImage", func(p *engine.Program) { kernels.CleanImage(p, z, z, short, step, ok) })
	mustPanic(t, "kernels: Guide", func(p *engine.Program) { kernels.Guide(p, z, short, step) })
}
