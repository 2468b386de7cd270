// SPDX-License-Identifier: MIT

package sampler

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"jitvk/autograd"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
	"jitvk/model"
	"jitvk/model/ode"
)

const (
	fieldSize    = 4
	fieldPixels  = 3 * fieldSize * fieldSize
	fieldClasses = 3
)

// field is a network in closed form: smooth, not linear in z, and dependent on all that a network is given.
func field(z, tau float64, label int) float64 {
	return tau*z/(1+math.Exp(-z)) + (1-tau)*z + 0.25*float64(label)
}

// fieldSampler is a sampler of pictures of fieldSize pixels from that network, which predicts kind.
func fieldSampler(t *testing.T, kind string, batch int) *Sampler {
	t.Helper()
	dev := kerneltest.Device(t)
	c := model.Defaults()
	c.Size, c.Predict, c.Classes, c.NoiseScale = fieldSize, kind, fieldClasses, 0.5
	h := kerneltest.New(t)
	var rows []float32
	for label := range fieldClasses + 1 {
		rows = append(rows, slices.Repeat([]float32{0.25 * float32(label)}, fieldPixels)...)
	}
	table := h.Input(rows, fieldClasses+1, fieldPixels)
	s, err := forNetwork(dev, c, batch, func(tape *autograd.Tape, z, tau *autograd.Var, labels *kernels.Tensor) *autograd.Var {
		p, shape := tape.P, z.Value.Shape
		u, shift := kernels.Temp(p, "u", shape...), kernels.Temp(p, "shift", batch, fieldPixels)
		kernels.NoiseMix(p, u, tape.SiLU(z).Value, z.Value, tau.Value, 1)
		kernels.Embed(p, shift, table, *labels)
		kernels.Add(p, u, u, shift.Reshape(shape...))
		return tape.Const(u)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// velocity is the flow's velocity in float64 for one picture's label, as package ode wants it.
func velocity(kind string, label int, g *Guidance) func(tau float64, z, dz []float64) {
	return func(tau float64, z, dz []float64) {
		for i := range z {
			u := field(z[i], tau, label)
			v := ref.Velocity(kind, z[i], u, tau, model.TauClamp)
			if g != nil && tau < g.High && (g.Low == 0 || tau > g.Low) {
				none := ref.Velocity(kind, z[i], field(z[i], tau, fieldClasses), tau, model.TauClamp)
				v = none + g.Weight*(v-none)
			}
			dz[i] = v
		}
	}
}

// TestClampLeavesNoise: towards a picture that is grey everywhere, z falls in proportion to 1 - tau until the clamp c acts, and
// from there like exp(-tau/c): at tau = 1 the noise that is left is c/e of the first. Without the clamp there would be none.
func TestClampLeavesNoise(t *testing.T) {
	c := model.Defaults()
	c.Size, c.NoiseScale = 32, 2
	s, err := forNetwork(kerneltest.Device(t), c, 1, func(tape *autograd.Tape, z, _ *autograd.Var, _ *kernels.Tensor) *autograd.Var {
		grey := kernels.Temp(tape.P, "grey", z.Value.Shape...)
		tape.P.Fill(grey.Range, 0)
		return tape.Const(grey)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	z, err := s.Sample(context.Background(), Options{N: 1, Steps: 1000, Solver: Heun, EndOnZ: true})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, v := range z {
		sum += float64(v) * float64(v)
	}
	want := c.NoiseScale * model.TauClamp / math.E // within 1 %, and four standard errors of the noise drawn
	if got := math.Sqrt(sum / float64(len(z))); !(math.Abs(got/want-1) < 0.01+4/math.Sqrt(2*float64(len(z)))) {
		t.Errorf("noise of %g is left, want %g", got, want)
	}
}

// walkRef walks a grid in float64 as the sampler is to: the step that ends at tau = 1 is Euler's.
func walkRef(solver Solver, f func(float64, []float64, []float64), z, taus []float64) [][]float64 {
	n := len(taus) - 1
	if solver == Euler {
		return ode.Euler(f, z, taus)
	}
	if taus[n] < 1 {
		return ode.Heun(f, z, taus)
	}
	path := [][]float64{z}
	if n > 1 {
		path = ode.Heun(f, z, taus[:n])
	}
	return append(path, ode.Euler(f, path[n-1], taus[n-1:])[1])
}

// TestAgainstFloat64 follows the trajectory of every picture beside package ode: both solvers, every kind of prediction,
// with labels, guidance and an interval, in batches that do not divide the pictures.
func TestAgainstFloat64(t *testing.T) {
	for _, kind := range []string{"x", "eps", "v"} {
		s := fieldSampler(t, kind, 2)
		for _, solver := range []Solver{Euler, Heun} {
			for name, g := range map[string]*Guidance{"plain": nil, "guided": {2.5, 0, 1}, "interval": {-1, 0.21, 0.74}} {
				for _, steps := range []int{1, 2, 25} {
					labels := []int{0, 2, 1, fieldClasses, 0}
					path := make([][][]float32, len(labels))
					got, err := s.Sample(context.Background(),
						Options{N: len(labels), Seed: 4, Steps: steps, Solver: solver, Labels: labels, Guidance: g, EndOnZ: true,
							Trajectory: func(picture, _ int, _ float64, z []float32) {
								path[picture] = append(path[picture], slices.Clone(z))
							}})
					if err != nil {
						t.Fatal(err)
					}
					for i, label := range labels {
						want := walkRef(solver, velocity(kind, label, g), kerneltest.Widen(path[i][0]), ode.Grid(0, 1, steps))
						if len(path[i]) != len(want) || !slices.Equal(path[i][steps], got[i*fieldPixels:(i+1)*fieldPixels]) {
							t.Fatalf("%s, %v, %s: %d points, or what is returned is not the last", kind, solver, name, len(path[i]))
						}
						for point := range want {
							largest := 0.0 // of what was added on the way: rounding is as large
							for _, z := range want[:point+1] {
								for _, v := range z {
									largest = max(largest, math.Abs(v))
								}
							}
							kerneltest.Check(t,
								kerneltest.Case{Op: "sampler",
									Name: fmt.Sprintf("%s, %v, %s, picture %d, point %d of %d", kind, solver, name, i, point, steps)},
								path[i][point], want[point], kerneltest.Bound{Abs: 1e-5 * largest, Rel: 1e-5})
						}
					}
				}
			}
		}
	}
}

// TestImageOfTheLastStep: the picture is what the last step's prediction says, at the place from which that step starts, guided as it is.
func TestImageOfTheLastStep(t *testing.T) {
	for _, kind := range []string{"x", "eps", "v"} {
		s := fieldSampler(t, kind, 2)
		for _, solver := range []Solver{Euler, Heun} {
			const steps, label = 4, 2
			g := &Guidance{2.5, 0, 1}
			var before [][]float32
			got, err := s.Sample(context.Background(), Options{N: 3, Seed: 5, Steps: steps, Solver: solver,
				Labels: slices.Repeat([]int{label}, 3), Guidance: g,
				Trajectory: func(_, point int, _ float64, z []float32) {
					if point == steps-1 {
						before = append(before, slices.Clone(z))
					}
				}})
			if err != nil {
				t.Fatal(err)
			}
			tau := ode.Grid(0, 1, steps)[steps-1]
			for i, z := range before {
				at, u, want := kerneltest.Widen(z), make([]float64, len(z)), make([]float64, len(z))
				for j, v := range at {
					none := field(v, tau, fieldClasses)
					u[j] = none + g.Weight*(field(v, tau, label)-none)
				}
				ref.CleanImage(want, at, u, kind, tau, model.TauClamp)
				kerneltest.Check(t, kerneltest.Case{Op: "sampler", Name: fmt.Sprintf("%s, %v, image of picture %d", kind, solver, i)},
					got[i*fieldPixels:(i+1)*fieldPixels], want, kerneltest.Bound{Abs: 1e-5, Rel: 1e-5})
			}
		}
	}
}

// TestOrder: up to where nothing is clamped, the error on the device falls with the step (Euler) and with its square (Heun).
func TestOrder(t *testing.T) {
	s := fieldSampler(t, "x", 1)
	for solver, want := range map[Solver]float64{Euler: 1, Heun: 2} {
		var errs []float64
		for _, n := range []int{8, 16, 32} {
			var start []float32
			got, err := s.Sample(context.Background(),
				Options{N: 1, Steps: n, Seed: 11, Solver: solver, Labels: []int{1}, EndOnZ: true, Until: 0.75,
					Trajectory: func(_, point int, _ float64, z []float32) {
						if point == 0 {
							start = slices.Clone(z)
						}
					}})
			if err != nil {
				t.Fatal(err)
			}
			fine := ode.Heun(velocity("x", 1, nil), kerneltest.Widen(start), ode.Grid(0, 0.75, 4096))[4096]
			sum := 0.0
			for i, v := range got {
				sum += (float64(v) - fine[i]) * (float64(v) - fine[i])
			}
			errs = append(errs, math.Sqrt(sum/fieldPixels))
		}
		for i := range errs[1:] {
			if order := math.Log2(errs[i] / errs[i+1]); !(math.Abs(order-want) < 0.15) {
				t.Errorf("%v: observed order %.2f from error %.3g to %.3g, want %g", solver, order, errs[i], errs[i+1], want)
			}
		}
	}
}

// TestGuidanceEnds: a weight of 1 is the class's picture and a weight of 0 that of none, bit for bit, and an empty interval
// changes nothing.
func TestGuidanceEnds(t *testing.T) {
	s := fieldSampler(t, "x", 3)
	draw := func(label int, g *Guidance) []float32 {
		t.Helper()
		got, err := s.Sample(context.Background(),
			Options{N: 3, Steps: 5, Seed: 2, Solver: Heun, Labels: []int{label, label, label}, Guidance: g})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	class, none := draw(1, nil), draw(fieldClasses, nil)
	if slices.Equal(class, none) {
		t.Error("the label makes no difference")
	}
	unlabelled, err := s.Sample(context.Background(), Options{N: 3, Steps: 5, Seed: 2, Solver: Heun})
	if err != nil || !slices.Equal(unlabelled, none) {
		t.Errorf("pictures without labels are not those of the label for none (%v)", err)
	}
	for name, c := range map[string]struct {
		g    Guidance
		want []float32
	}{
		"weight 1": {Guidance{1, 0, 1}, class}, "weight 0": {Guidance{0, 0, 1}, none},
		"between two steps": {Guidance{3, 0.25, 0.35}, class},
	} {
		if !slices.Equal(draw(1, &c.g), c.want) {
			t.Errorf("%s: other pictures", name)
		}
	}
	if slices.Equal(draw(1, &Guidance{3, 0.1, 1}), class) {
		t.Error("a weight of 3 changes nothing")
	}
}

// TestInterval: guidance holds where low < tau < high, and at tau = 0 if low is 0, as in the official code.
func TestInterval(t *testing.T) {
	for _, c := range []struct {
		g    *Guidance
		tau  float64
		want bool
	}{
		{nil, 0.5, false}, {&Guidance{1, 0, 1}, 0.5, false}, {&Guidance{0, 0, 1}, 0.5, true},
		{&Guidance{3, 0, 1}, 0, true}, {&Guidance{3, 0, 1}, 0.99, true}, {&Guidance{3, 0, 1}, 1, false},
		{&Guidance{3, 0.1, 0.8}, 0, false}, {&Guidance{3, 0.1, 0.8}, 0.1, false}, {&Guidance{3, 0.1, 0.8}, 0.11, true},
		{&Guidance{3, 0.1, 0.8}, 0.8, false},
	} {
		if got := c.g.at(c.tau); got != c.want {
			t.Errorf("%+v at %g: %v, want %v", c.g, c.tau, got, c.want)
		}
	}
}

// TestLabelsAndBatches: a picture depends on the seed, its number and its label, whatever else is drawn with it.
func TestLabelsAndBatches(t *testing.T) {
	labels := []int{0, 1, 2, 1, fieldClasses}
	var first []float32
	for _, batch := range []int{5, 1, 2, 9} {
		got, err := fieldSampler(t, "v", batch).Sample(context.Background(),
			Options{N: 5, Steps: 4, Solver: Heun, Labels: labels, Guidance: &Guidance{2, 0.1, 1}})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		if !slices.Equal(got, first) {
			t.Errorf("batches of %d give other pictures than batches of 5", batch)
		}
	}
}

// TestConstantVelocity: both solvers follow a straight line to its end, and see that end from anywhere on it.
func TestConstantVelocity(t *testing.T) {
	const v = float32(0.75)
	c := model.Defaults()
	c.Size, c.Predict = fieldSize, "v"
	s, err := forNetwork(kerneltest.Device(t), c, 2, func(tape *autograd.Tape, z, _ *autograd.Var, _ *kernels.Tensor) *autograd.Var {
		u := kernels.Temp(tape.P, "u", z.Value.Shape...)
		tape.P.Fill(u.Range, math.Float32bits(v))
		return tape.Const(u)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, solver := range []Solver{Euler, Heun} {
		for _, steps := range []int{1, 2, 8} {
			for _, onZ := range []bool{false, true} {
				var want []float64
				got, err := s.Sample(context.Background(), Options{N: 2, Steps: steps, Solver: solver, EndOnZ: onZ,
					Trajectory: func(_, point int, _ float64, z []float32) {
						for i := 0; point == 0 && i < len(z); i++ {
							want = append(want, float64(z[i])+float64(v))
						}
					}})
				if err != nil {
					t.Fatal(err)
				}
				kerneltest.Check(t, kerneltest.Case{Op: "sampler", Name: fmt.Sprintf("%v, %d steps, on z: %v", solver, steps, onZ)}, got,
					want, kerneltest.Bound{Abs: 2e-6})
			}
		}
	}
}

func TestBadOptions(t *testing.T) {
	s := fieldSampler(t, "x", 1)
	plain, _ := newSampler(t, true)
	nan := math.NaN()
	for says, o := range map[string]Options{
		"0 pictures":          {N: 0, Steps: 5},
		"in 0 steps":          {N: 1},
		"2 labels for 1":      {N: 1, Steps: 1, Labels: []int{0, 1}},
		"label 4 of":          {N: 1, Steps: 1, Labels: []int{4}},
		"label -1 of":         {N: 1, Steps: 1, Labels: []int{-1}},
		"needs labels":        {N: 1, Steps: 1, Guidance: &Guidance{2, 0, 1}},
		"guidance NaN":        {N: 1, Steps: 1, Labels: []int{0}, Guidance: &Guidance{nan, 0, 1}},
		"tau from 0.5 to 0.5": {N: 1, Steps: 1, Labels: []int{0}, Guidance: &Guidance{2, 0.5, 0.5}},
		"tau from -1 to 1":    {N: 1, Steps: 1, Labels: []int{0}, Guidance: &Guidance{2, -1, 1}},
		"tau from 0 to 2":     {N: 1, Steps: 1, Labels: []int{0}, Guidance: &Guidance{2, 0, 2}},
		"flow time 1.5":       {N: 1, Steps: 1, Until: 1.5},
		"flow time NaN":       {N: 1, Steps: 1, Until: nan},
	} {
		if _, err := s.Sample(context.Background(), o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	if _, err := plain(1).Sample(context.Background(), Options{N: 1, Steps: 1, Labels: []int{0}}); err == nil ||
		!strings.Contains(err.Error(), "no classes") {
		t.Errorf("labels for a model without classes: %v", err)
	}
	c := model.Defaults()
	c.Size, c.Predict = fieldSize, "score"
	if _, err := forNetwork(kerneltest.Device(t), c, 1, nil); err == nil || !strings.Contains(err.Error(), `"score"`) {
		t.Errorf("an unknown prediction: %v", err)
	}
}
