// SPDX-License-Identifier: MIT

package sampler

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/model"
	"jitvk/model/ode"
	"jitvk/model/run"
)

func TestMain(m *testing.M) { kerneltest.Main(m) }

// newSampler puts a small model on the test device. Its last layer is zero or, like all others, random.
func newSampler(t *testing.T, zero bool) (sampler func(batch int) *Sampler, pixels int) {
	t.Helper()
	return newSamplerIn(t, zero, kernels.FP32)
}

func newSamplerIn(t *testing.T, zero bool, precision kernels.Precision) (sampler func(batch int) *Sampler, pixels int) {
	t.Helper()
	dev := kerneltest.Device(t)
	preset, err := run.Preset("quick")
	if err != nil {
		t.Fatal(err)
	}
	c := preset.Model
	c.Size, c.Patch, c.Stride, c.Dim, c.Depth, c.Heads, c.Hidden, c.ZeroOutput = 15, 5, 5, 32, 2, 2, 40, zero
	m, err := model.New(dev, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	weights, err := m.Layout.NewFlat(dev, "weights")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(weights.Close)
	if err := weights.Init(7); err != nil {
		t.Fatal(err)
	}
	return func(batch int) *Sampler {
		s, err := New(dev, m, weights, batch, precision)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return s
	}, 3 * c.Size * c.Size
}

// TestPrecision: products with halves draw nearly the same pictures, and not the same.
func TestPrecision(t *testing.T) {
	draw := func(p kernels.Precision) []float32 {
		sampler, _ := newSamplerIn(t, false, p)
		x, err := sampler(2).Sample(context.Background(), Options{N: 2, Steps: 4, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	whole, half := draw(kernels.FP32), draw(kernels.FP16)
	square, size := 0.0, 0.0
	for i := range whole {
		d := float64(whole[i] - half[i])
		square, size = square+d*d, size+float64(whole[i])*float64(whole[i])
	}
	if r := math.Sqrt(square / size); !(r > 1e-6 && r < 1e-2) {
		t.Errorf("pictures in fp16 differ by %g of their size from those in fp32", r)
	}
}

// TestEulerOnTheGrey follows the flow towards a picture that is grey everywhere, which is what a network with a zero last
// layer predicts: z[i+1] = z[i] - dt z[i] / max(1 - tau, 0.05), from standard normal noise.
func TestEulerOnTheGrey(t *testing.T) {
	sampler, pixels := newSampler(t, true)
	const n, steps = 6, 30
	taus := ode.Grid(0, 1, steps)
	z := make([][]float32, steps+1)
	calls := 0
	got, err := sampler(4).Sample(context.Background(), Options{N: n, Steps: steps, Seed: 3,
		Trajectory: func(picture, point int, tau float64, state []float32) {
			if tau != taus[point] || len(state) != pixels || picture != len(z[point])/pixels {
				t.Fatalf("picture %d, point %d: tau %g, %d values", picture, point, tau, len(state))
			}
			z[point] = append(z[point], state...)
		},
		Progress: func(done, total int) {
			if calls++; done != calls || total != 2*steps {
				t.Errorf("progress %d of %d in call %d", done, total, calls)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != n*pixels || calls != 2*steps {
		t.Fatalf("%d values, %d calls of Progress", len(got), calls)
	}
	if i := slices.IndexFunc(got, func(v float32) bool { return v != 0 }); i >= 0 {
		t.Errorf("value %d of the pictures is %g, want 0", i, got[i])
	}
	var sum, squares float64
	for _, v := range z[0] {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	count := float64(n * pixels) // standard errors: 1/sqrt(count) of the mean, sqrt(2/count) of the variance
	if mean, variance := sum/count, squares/count; math.Abs(mean) > 4/math.Sqrt(count) || math.Abs(variance-1) > 4*math.Sqrt(2/count) {
		t.Errorf("the noise has mean %g and variance %g", mean, variance)
	}
	for i := range steps {
		factor := 1 - (taus[i+1]-taus[i])/max(1-taus[i], model.TauClamp)
		for j, v := range z[i] {
			if want := float64(v) * factor; !(math.Abs(float64(z[i+1][j])-want) <= 1e-5*(math.Abs(want)+math.Abs(float64(v)))) {
				t.Fatalf("point %d, value %d: %g, want %g", i+1, j, z[i+1][j], want)
			}
		}
	}
}

// TestBatchDoesNotMatter draws the same pictures in batches of different sizes.
func TestBatchDoesNotMatter(t *testing.T) {
	sampler, pixels := newSampler(t, false)
	var first []float32
	for _, batch := range []int{5, 1, 2, 9} {
		got, err := sampler(batch).Sample(context.Background(), Options{N: 5, Steps: 6, Seed: math.MaxUint64})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
			if slices.Equal(got[:pixels], got[pixels:2*pixels]) {
				t.Error("two pictures are the same")
			}
		}
		if !slices.Equal(got, first) {
			t.Errorf("batches of %d give other pictures than batches of 5", batch)
		}
	}
	other, err := sampler(5).Sample(context.Background(), Options{N: 2, Steps: 6, Seed: 0})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(other, first[:2*pixels]) {
		t.Error("another seed gave the same pictures")
	}
}

// TestCancel: a drawing that is given up leaves nothing behind in the next.
func TestCancel(t *testing.T) {
	sampler, _ := newSampler(t, false)
	ctx, cancel := context.WithCancel(context.Background())
	s := sampler(1)
	fresh, err := s.Sample(context.Background(), Options{N: 2, Steps: 3, Solver: Heun})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sample(ctx, Options{N: 3, Steps: 5, Progress: func(done, _ int) {
		if done == 7 {
			cancel()
		}
	}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	again, err := s.Sample(context.Background(), Options{N: 2, Steps: 3, Solver: Heun})
	if err != nil || !slices.Equal(again, fresh) {
		t.Errorf("other pictures after a drawing was given up (%v)", err)
	}
}

// asked counts how often a context's Err is asked for, as Sample does before it submits a step.
type asked struct {
	context.Context
	times int
}

func (a *asked) Err() error { a.times++; return a.Context.Err() }

// TestOneStepAhead: when a step is reported as done the next has been submitted, and none after it.
func TestOneStepAhead(t *testing.T) {
	sampler, _ := newSampler(t, true)
	const batches, steps = 3, 5
	ctx := &asked{Context: context.Background()}
	if _, err := sampler(2).Sample(ctx, Options{N: 2*batches - 1, Steps: steps, Progress: func(done, total int) {
		want := done + 1
		if done%steps == 0 { // what follows the last step of a batch is the next one's noise, or nothing
			want = done
		}
		if total != batches*steps || ctx.times != want {
			t.Errorf("step %d is done, %d are submitted, want %d", done, ctx.times, want)
		}
	}}); err != nil {
		t.Fatal(err)
	}
}
