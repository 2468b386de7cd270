// SPDX-License-Identifier: MIT

package model

import (
	"math"
	"strings"
	"testing"

	"jitvk/autograd"
	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
)

func TestMain(m *testing.M) { kerneltest.Main(m) }

func TestValidateNamesWhatWouldDo(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		says   []string
	}{
		"stride that does not tile": {func(c *Config) { c.Stride = 5 }, []string{"-stride 5", "1, 2, 3, 4, 6, 8"}},
		"stride beyond the patch":   {func(c *Config) { c.Stride = 12 }, []string{"-stride 12", "-patch 8"}},
		"patch beyond the image":    {func(c *Config) { c.Patch, c.Stride = 64, 64 }, []string{"-patch 64", "-size 32"}},
		"heads":                     {func(c *Config) { c.Heads = 3 }, []string{"-heads 3", "-dim 128", "1, 2, 4, 8, 16"}},
		"width":                     {func(c *Config) { c.Dim = 129 }, []string{"-dim 129", "192"}},
		"zero depth":                {func(c *Config) { c.Depth = 0 }, []string{"-depth 0"}},
		"negative size":             {func(c *Config) { c.Size = -32 }, []string{"-size -32"}},
		"noise scale":               {func(c *Config) { c.NoiseScale = 1e300 }, []string{"-noise-scale 1e+300"}},
		"tokens":                    {func(c *Config) { c.Size, c.Patch, c.Stride = 4096, 1, 1 }, []string{"-patch 1", "16777216 tokens"}},
		"mu":                        {func(c *Config) { c.Mu = math.NaN() }, []string{"-mu NaN"}},
	} {
		c := Defaults()
		c.Size, c.Patch, c.Stride, c.Dim, c.Depth, c.Heads, c.Hidden = 32, 8, 8, 128, 4, 2, 344
		test.change(&c)
		err := c.Validate()
		for _, s := range test.says {
			if err == nil || !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %v does not say %q", name, err, s)
			}
		}
	}
}

// small models that have every part of the large ones: overlap and window, both norms, both orders of the SwiGLU.
func small() map[string]Config {
	base := Defaults()
	base.Preset, base.Size, base.Patch, base.Stride, base.Dim, base.Depth, base.Heads, base.Hidden = "test", 16, 8, 4, 32, 2, 2, 40
	base.TimeDim, base.TimeHidden, base.ZeroOutput = 8, 12, false
	derf := base
	derf.Norm, derf.ValueFirst, derf.Window = "derf", true, "hann"
	plain := base
	plain.Stride, plain.Heads = 8, 4
	eps, v := plain, plain
	eps.Predict, v.Predict, v.Loss, v.NoiseScale = "eps", "v", "x", 2
	jit := Defaults()
	jit.Preset, jit.Arch, jit.Size, jit.Patch, jit.Stride, jit.Dim, jit.Depth, jit.Heads, jit.Hidden = "test", "jit", 16, 4, 4, 32, 2, 2, 43
	jit.Classes, jit.Bottleneck, jit.Context, jit.ContextStart, jit.NoiseScale, jit.RoPEBase, jit.TimeDim = 3, 10, 3, 1, 0.5, 10000, 256
	classless := jit
	classless.Classes, classless.Context, classless.ContextStart, classless.Stride, classless.Patch = 0, 0, 0, 6, 10
	return map[string]Config{"rms, overlap": base, "derf, overlap": derf, "rms, no overlap": plain, "predicts the noise": eps,
		"predicts the velocity": v,
		"the paper's":           jit, "the paper's, overlap, no classes": classless}
}

// TestModelAgainstFloat64 compares prediction, loss and the gradient of every parameter with the float64 model: the
// gradient along random directions by central differences.
func TestModelAgainstFloat64(t *testing.T) {
	for name, c := range small() {
		t.Run(name, func(t *testing.T) {
			dev := kerneltest.Device(t)
			m, err := New(dev, c)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			rnd := kerneltest.NewRand(7)
			values, ref := map[string][]float32{}, refModel{c, map[string][]float64{}}
			for _, p := range c.Params() {
				v := rnd.Normal(p.Len())
				for i := range v {
					scale := float32(0.2)
					if strings.HasSuffix(p.Name, "norm2.weight") || strings.HasSuffix(p.Name, "norm_final.weight") ||
						strings.HasSuffix(p.Name, "alpha") || strings.HasSuffix(p.Name, "norm1.weight") ||
						strings.Contains(p.Name, "_norm.weight") {
						v[i] = 1 + scale*v[i]
					} else {
						v[i] *= scale
					}
				}
				values[p.Name], ref.w[p.Name] = v, kerneltest.Widen(v)
			}
			const batch = 3
			n := batch * 3 * c.Size * c.Size
			es, xs, taus := rnd.Normal(n), rnd.Uniform(n, -1, 1), []float32{0.03, 0.5, 0.97} // the first and the last are clamped
			classes := []int{min(1, c.Classes), c.Classes, 0}
			zs, words := make([]float32, n), make([]float32, batch)
			for i := range zs {
				tau := float64(taus[i/(n/batch)])
				zs[i] = float32(tau*float64(xs[i]) + (1-tau)*c.NoiseScale*float64(es[i]))
			}
			for i, class := range classes {
				words[i] = math.Float32frombits(uint32(class))
			}

			weights, grads := flat(t, dev, m), flat(t, dev, m)
			set(t, weights, values)
			r := kerneltest.New(t)
			shape := []int{batch, 3, c.Size, c.Size}
			z, x, e, tau, labels := r.Input(zs, shape...), r.Input(xs, shape...), r.Input(es, shape...), r.Input(taus, batch),
				r.Input(words, batch)
			loss, pred := r.Output(1), r.Output(batch, 3, c.Size, c.Size)
			r.Run(func(p *engine.Program) {
				tape := autograd.New(p)
				out := m.Forward(tape, m.Bind(tape, weights, grads), tape.Const(z), tape.Const(tau), &labels)
				p.Copy(pred.Range, out.Value.Range)
				tape.FlowLoss(loss, out, &x, &e, tau, c.lossOptions())
				tape.Backward()
			})

			zw, xw, ew, tw := kerneltest.Widen(zs), kerneltest.Widen(xs), kerneltest.Widen(es), kerneltest.Widen(taus)
			var want []float64
			for b := range batch {
				want = append(want, ref.forward(zw[b*n/batch:(b+1)*n/batch], tw[b], classes[b])...)
			}
			kerneltest.Equal(t, "prediction", r.Floats(pred), want, 1e-5)
			kerneltest.Equal(t, "loss", r.Floats(loss), []float64{ref.loss(zw, xw, ew, tw, classes)}, 1e-5)

			for _, p := range c.Params() {
				raw, err := dev.Download(grads.View(p).Range)
				if err != nil {
					t.Fatal(err)
				}
				g := kernels.Floats(raw)
				w := ref.w[p.Name]
				direction, dot, gnorm := kerneltest.Widen(rnd.Normal(len(w))), 0.0, 0.0
				for i, d := range direction {
					dot += d * float64(g[i])
					gnorm += float64(g[i]) * float64(g[i])
				}
				at := func(h float64) float64 {
					moved := make([]float64, len(w))
					for i := range w {
						moved[i] = w[i] + h*direction[i]
					}
					ref.w[p.Name] = moved
					defer func() { ref.w[p.Name] = w }()
					return ref.loss(zw, xw, ew, tw, classes)
				}
				const h = 1e-4 // five points: the error is of order h⁴
				slope := (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
				// The slope along a random direction has the scale of the gradient's norm.
				if diff := math.Abs(slope - dot); !(diff <= 1e-4*math.Sqrt(gnorm)) || gnorm == 0 {
					t.Errorf("gradient of %s along a random direction: %g, want %g (norm of the gradient %g)", p.Name, dot, slope,
						math.Sqrt(gnorm))
				}
			}
		})
	}
}

// TestUntrained: the paper's network begins with its last layer, and every block's gates, at zero. It predicts exactly zero,
// so that its loss is the mean of (x / max(1 - tau, 0.05))².
func TestUntrained(t *testing.T) {
	c := small()["the paper's"]
	dev := kerneltest.Device(t)
	m, err := New(dev, c)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	weights := flat(t, dev, m)
	if err := weights.Init(1); err != nil {
		t.Fatal(err)
	}
	const batch = 2
	rnd := kerneltest.NewRand(3)
	n := batch * 3 * c.Size * c.Size
	xs, taus := rnd.Uniform(n, -1, 1), []float32{0.25, 0.99}
	r := kerneltest.New(t)
	shape := []int{batch, 3, c.Size, c.Size}
	x, z, tau, pred, loss := r.Input(xs, shape...), r.Input(rnd.Normal(n), shape...), r.Input(taus, batch), r.Output(shape...), r.Output(1)
	r.Run(func(p *engine.Program) {
		tape := autograd.New(p)
		out := m.Forward(tape, m.Bind(tape, weights, nil), tape.Const(z), tape.Const(tau), nil)
		p.Copy(pred.Range, out.Value.Range)
		tape.FlowLoss(loss, out, &x, nil, tau, c.lossOptions())
	})
	want := 0.0
	for i, v := range xs {
		d := float64(v) / math.Max(1-float64(taus[i/(n/batch)]), TauClamp)
		want += d * d / float64(n)
	}
	kerneltest.Equal(t, "loss", r.Floats(loss), []float64{want}, 1e-5)
	for i, v := range r.Floats(pred) {
		if v != 0 {
			t.Fatalf("prediction %d is %g", i, v)
		}
	}
}
