// SPDX-License-Identifier: MIT

package autograd

import (
	"fmt"
	"math"
	"testing"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

func TestMain(m *testing.M) { kerneltest.Main(m) }

// A gradient case builds a small graph on the device and the same function out of kernels/ref in float64.
type gradientCase struct {
	params, leaves [][]int // shapes; a parameter's gradient is the caller's memory, a leaf's a temporary
	build          func(t *Tape, r *kerneltest.Run, p, x []*Var) *Var
	ref            func(p, x [][]float64) []float64
}

// The sizes of the cases.
const (
	B, T, H, D = 2, 5, 2, 8
	C, F       = H * D, 12
	eps        = 1e-6
	size       = 10 // of images, in pixels
	patch      = 4
	stride     = 2
	grid       = (size-patch)/stride + 1
	tokens     = grid * grid
	patchDim   = 3 * patch * patch
)

// refLinear is x Wᵀ + b + r for rows of k values; b and r may be nil.
func refLinear(x, w, b, r []float64, k int) []float64 {
	rows, m := len(x)/k, len(w)/k
	y := make([]float64, rows*m)
	ref.MatMul(y, x, w, rows, m, k, ref.MatMulOptions[float64]{TransB: true, Bias: b, Residual: r})
	return y
}

// refMLP is w3 swiglu(w12 x + b12) + b3 + r; biases and r may be nil.
func refMLP(x, w12, b12, w3, b3, r []float64, valueFirst bool) []float64 {
	n := len(x) / C
	h := make([]float64, n*F)
	ref.MatMulSwiGLU(h, make([]float64, n*2*F), x, w12, n, C, F, ref.MatMulSwiGLUOptions[float64]{ValueFirst: valueFirst, Bias: b12})
	return refLinear(h, w3, b3, r, F)
}

func refNorm(x, w []float64) []float64 {
	y := make([]float64, len(x))
	ref.RMSNorm(y, make([]float64, len(x)/len(w)), x, w, len(x)/len(w), len(w), eps)
	return y
}

func refNormModulate(x, w, scale, shift []float64) []float64 {
	y := make([]float64, len(x))
	ref.NormModulate(y, make([]float64, B*T), x, w, scale, shift, B, T, C, eps)
	return y
}

func refDerf(x, alpha, shift []float64) []float64 {
	y := make([]float64, len(x))
	ref.Derf(y, x, alpha, shift, len(x)/len(alpha), len(alpha))
	return y
}

func refSiLU(x []float64) []float64 {
	y := make([]float64, len(x))
	ref.SiLU(y, x)
	return y
}

func refRoPE(x, cos, sin []float64, interleaved bool) []float64 {
	y := make([]float64, len(x))
	ref.RoPE(y, x, cos, sin, B, T, H, D, false, interleaved)
	return y
}

// refPart is part i of n of each row of x, n parts a row of c values.
func refPart(x []float64, i, n, c int) []float64 {
	var y []float64
	for at := 0; at < len(x); at += n * c {
		y = append(y, x[at+i*c:at+(i+1)*c]...)
	}
	return y
}

func refConcat(x, e []float64, c int) []float64 {
	extra := len(e) / B
	y := make([]float64, B*T*(c+extra))
	ref.ConcatTime(y, x, e, B, T, c, extra)
	return y
}

func refGate(x, g, r []float64) []float64 {
	y := make([]float64, len(x))
	ref.Gate(y, r, x, g, T, C)
	return y
}

var dropStep = kernels.Step{Seed: 3, Step: 4, Image0: 5}

func refDropout(x []float64, site uint32) []float64 {
	y := make([]float64, len(x))
	stream := kernels.StreamDropout + site
	ref.Dropout(y, x, T*C, 0.5, ref.Random{Seed: dropStep.Seed, Step: dropStep.Step, Image0: dropStep.Image0, Stream: stream})
	return y
}

func positions() []float32 { return kerneltest.NewRand(2).Normal(T * C) }

// rotation returns tables of angles without a pattern.
func rotation() (cos, sin []float32) {
	for i := range T * D / 2 {
		s, c := math.Sincos(float64(i*i) / 7)
		cos, sin = append(cos, float32(c)), append(sin, float32(s))
	}
	return cos, sin
}

// cases are the graphs to compare. Without the whole sweep, of those in both orders some are in one of them only: biases that are used
// twice with the gate first, attention with Derf in the order of halves, the only one that a model has.
func cases() map[string]gradientCase {
	cos, sin := rotation()
	cw, sw := kerneltest.Widen(cos), kerneltest.Widen(sin)
	tables := func(r *kerneltest.Run) (kernels.Tensor, kernels.Tensor) {
		return r.Input(cos, T, D/2), r.Input(sin, T, D/2)
	}
	rowShape, square, constant := []int{B, T, C}, []int{C, C}, kerneltest.NewRand(9).Normal(C*C)
	window := ref.Hann(patch + 2)[1 : patch+1] // nowhere zero
	narrow := make([]float32, patch)
	for i, w := range window {
		narrow[i] = float32(w)
		window[i] = float64(narrow[i])
	}
	out := map[string]gradientCase{
		"linear": {
			params: [][]int{{7, C}, {7}}, leaves: [][]int{rowShape, {B, T, 7}},
			build: func(t *Tape, _ *kerneltest.Run, p, x []*Var) *Var { return t.Linear(x[0], p[0], p[1], x[1]) },
			ref:   func(p, x [][]float64) []float64 { return refLinear(x[0], p[0], p[1], x[1], C) },
		},
		"linear: a constant weight, bias twice": {
			params: [][]int{{C}}, leaves: [][]int{rowShape},
			build: func(t *Tape, r *kerneltest.Run, p, x []*Var) *Var {
				w := t.Const(r.Input(constant, C, C))
				return t.Linear(x[0], w, p[0], t.Linear(x[0], w, p[0], nil))
			},
			ref: func(p, x [][]float64) []float64 {
				w := kerneltest.Widen(constant)
				return refLinear(x[0], w, p[0], refLinear(x[0], w, p[0], nil, C), C)
			},
		},
		"linear: weights and bias twice, input and residual one": {
			params: [][]int{square, {C}}, leaves: [][]int{rowShape},
			build: func(t *Tape, _ *kerneltest.Run, p, x []*Var) *Var {
				y := t.Linear(x[0], p[0], p[1], x[0])
				y = t.Linear(y, p[0], p[1], y)
				return t.Linear(y, p[0], nil, x[0])
			},
			ref: func(p, x [][]float64) []float64 {
				y := refLinear(x[0], p[0], p[1], x[0], C)
				y = refLinear(y, p[0], p[1], y, C)
				return refLinear(y, p[0], nil, x[0], C)
			},
		},
		"residual and reshape of a parameter": {
			params: [][]int{square, rowShape}, leaves: [][]int{rowShape},
			build: func(t *Tape, _ *kerneltest.Run, p, x []*Var) *Var {
				y := t.Linear(x[0], p[0], nil, p[1])
				return t.Linear(t.Reshape(y, B*T, C), p[0], nil, t.Reshape(p[1], B*T, C))
			},
			ref: func(p, x [][]float64) []float64 {
				return refLinear(refLinear(x[0], p[0], nil, p[1], C), p[0], nil, p[1], C)
			},
		},
		"rmsnorm: input and weight twice": {
			params: [][]int{{C}, square}, leaves: [][]int{rowShape},
			build: func(t *Tape, _ *kerneltest.Run, p, x []*Var) *Var {
				return t.Linear(t.RMSNorm(x[0], p[0], eps), p[1], nil, t.RMSNorm(x[0], p[0], eps))
			},
			ref: func(p, x [][]float64) []float64 { n := refNorm(x[0], p[0]); return refLinear(n, p[1], nil, n, C) },
		},
		"normmodulate: all twice": {
			params: [][]int{{C}, square}, leaves: [][]int{rowShape, {B, C}, {B, C}},
			build: func(t *Tape, _ *kerneltest.Run, p, x []*Var) *Var {
				return t.Linear(t.NormModulate(x[0], p[0], x[1], x[2], eps), p[1], nil, t.NormModulate(x[0], p[0], x[1], x[2], eps))
			},
			ref: func(p, x [][]float64) []float64 {
				n := refNormModulate(x[0], p[0], x[1], x[2])
				return refLinear(n, p[1], nil, n, C)
			},
		},
		"derf: input and weights twice": {
			params: [][]int{{C}, {C}, square}, leaves: [][]int{rowShape},
			build: func(t *Tape, _ *kerneltest.Run, p, x []*Var) *Var {
				return t.Linear(t.Derf(x[0], p[0], p[1]), p[2], nil, t.Derf(x[0], p[0], p[1]))
			},
			ref: func(p, x [][]float64) []float64 { n := refDerf(x[0], p[0], p[1]); return refLinear(n, p[2], nil, n, C) },
		},
		"silu: input twice": {
			params: [][]int{square}, leaves: [][]int{rowShape},
			build: func(t *Tape, _ *kerneltest.Run, p, x []*Var) *Var {
				return t.Linear(t.SiLU(x[0]), p[0], nil, t.SiLU(x[0]))
			},
			ref: func(p, x [][]float64) []float64 { n := refSiLU(x[0]); return refLinear(n, p[0], nil, n, C) },
		},
		"time joined twice": {
			leaves: [][]int{rowShape, {B, 3}},
			build: func(t *Tape, _ *kerneltest.Run, p, x []*Var) *Var {
				return t.ConcatTime(t.ConcatTime(x[0], x[1]), x[1])
			},
			ref: func(p, x [][]float64) []float64 { return refConcat(refConcat(x[0], x[1], C), x[1], C+3) },
		},
		"gates that are parts of one projection, one of them used twice": {
			params: [][]int{{3 * C, C}, {C, 3 * C}}, leaves: [][]int{rowShape, {B, C}},
			build: func(t *Tape, _ *kerneltest.Run, p, x []*Var) *Var {
				c := t.Linear(x[1], p[0], nil, nil)
				s := t.Linear(t.SiLU(c), p[1], nil, nil) // a use before the cut: it adds to what the views wrote
				g := t.Parts(c, 3)
				y := t.Gate(x[0], x[0], g[0])
				y = t.Gate(t.SiLU(x[0]), y, g[1])
				return t.Gate(t.Gate(y, y, s), t.Gate(y, x[0], g[2]), g[0])
			},
			ref: func(p, x [][]float64) []float64 {
				c := refLinear(x[1], p[0], nil, nil, C)
				s := refLinear(refSiLU(c), p[1], nil, nil, 3*C)
				g := func(i int) []float64 { return refPart(c, i, 3, C) }
				y := refGate(x[0], g(0), x[0])
				y = refGate(y, g(1), refSiLU(x[0]))
				return refGate(refGate(x[0], g(2), y), g(0), refGate(y, s, y))
			},
		},
		"embedding used twice, tokens put before and dropped": {
			params: [][]int{{4, C}, {3, C}}, leaves: [][]int{rowShape},
			build: func(t *Tape, r *kerneltest.Run, p, x []*Var) *Var {
				labels := r.Words([]uint32{2, 2})
				e := t.Embed(p[0], labels)
				y := t.PrependTokens(x[0], e, p[1])     // T+3 tokens
				y = t.PrependTokens(y, t.SiLU(e), p[1]) // T+6
				y = t.PrependTokens(y, t.Embed(p[0], labels), p[1])
				return t.Gate(t.DropTokens(y, 2), t.DropTokens(y, 2), e)
			},
			ref: func(p, x [][]float64) []float64 {
				e, labels := make([]float64, B*C), []uint32{2, 2}
				ref.Embed(e, p[0], labels, C)
				y, n := x[0], T
				for _, e := range [][]float64{e, refSiLU(e), e} {
					longer := make([]float64, B*(n+3)*C)
					ref.PrependTokens(longer, y, e, p[1], B, 3, n, C)
					y, n = longer, n+3
				}
				cut := make([]float64, B*(n-2)*C)
				ref.DropTokens(cut, y, B, 2, n-2, C)
				out := make([]float64, len(cut))
				ref.Gate(out, cut, cut, e, n-2, C)
				return out
			},
		},
		"positions, and dropout of one thing at two sites": {
			params: [][]int{square}, leaves: [][]int{rowShape},
			build: func(t *Tape, r *kerneltest.Run, p, x []*Var) *Var {
				step := r.Step(dropStep)
				y := t.AddRows(x[0], r.Input(positions(), T, C))
				return t.Linear(t.Dropout(y, step, 0.5, 0), p[0], nil, t.Dropout(y, step, 0.5, 1))
			},
			ref: func(p, x [][]float64) []float64 {
				y := make([]float64, B*T*C)
				ref.AddRows(y, x[0], kerneltest.Widen(positions()))
				return refLinear(refDropout(y, 0), p[0], nil, refDropout(y, 1), C)
			},
		},
		"unfold": {
			leaves: [][]int{{B, 3, size, size}},
			build: func(t *Tape, _ *kerneltest.Run, p, x []*Var) *Var {
				return t.Unfold(x[0], kernels.FoldOptions{Patch: patch, Stride: stride})
			},
			ref: func(p, x [][]float64) []float64 {
				y := make([]float64, B*tokens*patchDim)
				ref.Unfold(y, x[0], nil, nil, B, ref.Patches{ImgH: size, ImgW: size, Patch: patch, Stride: stride})
				return y
			},
		},
		"fold with a window": {
			leaves: [][]int{{B, tokens, patchDim}},
			build: func(t *Tape, r *kerneltest.Run, p, x []*Var) *Var {
				w := r.Input(narrow, patch)
				norm := r.Input(kernels.FoldNorm(narrow, size, size, stride), size, size)
				return t.Fold(x[0], size, size, kernels.FoldOptions{Patch: patch, Stride: stride, Window: &w, InvNorm: &norm})
			},
			ref: func(p, x [][]float64) []float64 {
				y := make([]float64, B*3*size*size)
				norm := ref.FoldNorm(window, size, size, stride)
				ref.Fold(y, x[0], window, norm, B, ref.Patches{ImgH: size, ImgW: size, Patch: patch, Stride: stride})
				return y
			},
		},
	}
	for _, valueFirst := range []bool{false, true} {
		out[fmt.Sprintf("swiglu mlp, valueFirst %v", valueFirst)] = gradientCase{
			params: [][]int{{2 * F, C}, {2 * F}, {C, F}, {C}}, leaves: [][]int{rowShape, rowShape},
			build: func(t *Tape, _ *kerneltest.Run, p, x []*Var) *Var {
				y := t.SwiGLUMLP(x[0], p[0], p[1], p[2], p[3], x[1], valueFirst)
				return t.SwiGLUMLP(x[1], p[0], nil, p[2], nil, y, valueFirst)
			},
			ref: func(p, x [][]float64) []float64 {
				y := refMLP(x[0], p[0], p[1], p[2], p[3], x[1], valueFirst)
				return refMLP(x[1], p[0], nil, p[2], nil, y, valueFirst)
			},
		}
		out[fmt.Sprintf("swiglu, valueFirst %v: input used before, too", valueFirst)] = gradientCase{
			params: [][]int{{F, 2 * F}}, leaves: [][]int{{B, T, 2 * F}},
			build: func(t *Tape, _ *kerneltest.Run, p, x []*Var) *Var {
				s := t.SiLU(x[0])
				return t.Linear(s, p[0], nil, t.SwiGLU(x[0], valueFirst))
			},
			ref: func(p, x [][]float64) []float64 {
				h := make([]float64, B*T*F)
				ref.SwiGLU(h, x[0], B*T, F, valueFirst)
				return refLinear(refSiLU(x[0]), p[0], nil, h, 2*F)
			},
		}
		if valueFirst && !kerneltest.All() {
			continue
		}
		out[fmt.Sprintf("swiglu mlp, valueFirst %v: biases twice, input and residual one", valueFirst)] = gradientCase{
			params: [][]int{{2 * F, C}, {2 * F}, {C, F}, {C}}, leaves: [][]int{rowShape},
			build: func(t *Tape, _ *kerneltest.Run, p, x []*Var) *Var {
				y := t.SwiGLUMLP(x[0], p[0], p[1], p[2], p[3], x[0], valueFirst)
				return t.SwiGLUMLP(x[0], p[0], p[1], p[2], p[3], y, valueFirst)
			},
			ref: func(p, x [][]float64) []float64 {
				y := refMLP(x[0], p[0], p[1], p[2], p[3], x[0], valueFirst)
				return refMLP(x[0], p[0], p[1], p[2], p[3], y, valueFirst)
			},
		}
	}
	for _, interleaved := range []bool{false, true} {
		for _, norm := range []string{"normrope", "derfrope"} {
			if norm == "derfrope" && interleaved && !kerneltest.All() {
				continue
			}
			params := [][]int{{3 * C, C}, {D}, {C, 3 * C}}
			if norm == "derfrope" {
				params = [][]int{{3 * C, C}, {C}, {C, 3 * C}, {C}}
			}
			out[fmt.Sprintf("attention as the model has it, %s, interleaved %v", norm, interleaved)] = gradientCase{
				params: params, leaves: [][]int{rowShape},
				build: func(t *Tape, r *kerneltest.Run, p, x []*Var) *Var {
					qkv := t.Linear(x[0], p[0], nil, nil)
					s := t.SiLU(qkv) // a use before the cut: it adds to what the views wrote
					h := t.Heads(qkv, 3, H)
					cos, sin := tables(r)
					turned := func(x *Var) *Var { // the weights are used twice, by q and by k
						if norm == "derfrope" {
							return t.DerfRoPE(x, p[1], p[3], cos, sin, interleaved)
						}
						return t.NormRoPE(x, p[1], cos, sin, eps, interleaved)
					}
					return t.Linear(s, p[2], nil, t.Reshape(t.Attention(turned(h[0]), turned(h[1]), h[2]), B, T, C))
				},
				ref: func(p, x [][]float64) []float64 {
					qkv := refLinear(x[0], p[0], nil, nil, C)
					turned := func(i int) []float64 {
						if norm == "derfrope" {
							return refRoPE(refDerf(refPart(qkv, i, 3, C), p[1], p[3]), cw, sw, interleaved)
						}
						return refRoPE(refNorm(refPart(qkv, i, 3, C), p[1]), cw, sw, interleaved)
					}
					o := make([]float64, B*T*C)
					ref.Attention(o, make([]float64, B*H*T), turned(0), turned(1), refPart(qkv, 2, 3, C), B, T, H, D, nil)
					return refLinear(refSiLU(qkv), p[2], nil, o, 3*C)
				},
			}
		}
	}
	return out
}

// TestGradients compares every op's value, and the gradients of all its inputs under a random upstream gradient, with
// kernels/ref: gradients by central differences in float64.
func TestGradients(t *testing.T) {
	for name, c := range cases() {
		t.Run(name, func(t *testing.T) {
			r, rnd := kerneltest.New(t), kerneltest.NewRand(5)
			draw := func(shapes [][]int) (values, grads []kernels.Tensor, wide [][]float64) {
				for _, s := range shapes {
					v := rnd.Normal(kernels.Tensor{Shape: s}.Len())
					values, grads, wide = append(values, r.Input(v, s...)), append(grads, r.Output(s...)), append(wide, kerneltest.Widen(v))
				}
				return values, grads, wide
			}
			pv, pg, pw := draw(c.params)
			xv, xg, xw := draw(c.leaves)
			want := c.ref(pw, xw)
			upstream := rnd.Normal(len(want))
			var y kernels.Tensor
			r.Run(func(p *engine.Program) {
				tape := New(p)
				var params, leaves []*Var
				for i, v := range pv {
					params = append(params, tape.Param(fmt.Sprint("p", i), v, pg[i]))
				}
				for _, v := range xv {
					leaves = append(leaves, tape.Leaf(v))
				}
				out := c.build(tape, r, params, leaves)
				y = r.Output(out.Value.Shape...)
				p.Copy(y.Range, out.Value.Range)
				tape.Seed(out, r.Input(upstream, out.Value.Shape...))
				tape.Backward()
				for i, x := range leaves {
					p.Copy(xg[i].Range, x.Grad().Range)
				}
			})
			kerneltest.Equal(t, "value", r.Floats(y), want, 1e-5)
			f := func() []float64 { return c.ref(pw, xw) }
			for i, v := range pw {
				kerneltest.Equal(t, fmt.Sprintf("gradient of parameter %d", i), r.Floats(pg[i]), slopes(v, upstream, f), 1e-5)
			}
			for i, v := range xw {
				kerneltest.Equal(t, fmt.Sprintf("gradient of leaf %d", i), r.Floats(xg[i]), slopes(v, upstream, f), 1e-5)
			}
		})
	}
}

// slopes returns the gradient of <upstream, f()> with respect to x, which f reads: five points, error of order h⁴.
func slopes(x []float64, upstream []float32, f func() []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		at := func(h float64) (sum float64) {
			x[i] = v + h
			for j, y := range f() {
				sum += float64(upstream[j]) * y
			}
			return sum
		}
		const h = 1e-3
		out[i] = (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
		x[i] = v
	}
	return out
}

// TestFlowLoss has the loss seed the tape, and a parameter that nothing uses: its gradient is zero.
func TestFlowLoss(t *testing.T) {
	for _, o := range []kernels.FlowLossOptions{
		{Predict: kernels.X, Loss: kernels.V, TauClamp: 0.05, NoiseScale: 1},
		{Predict: kernels.Eps, Loss: kernels.X, TauClamp: 0.05, NoiseScale: 2},
		{Predict: kernels.V, Loss: kernels.Eps, TauClamp: 0.05, NoiseScale: 2},
	} {
		r, rnd := kerneltest.New(t), kerneltest.NewRand(6)
		const n = 3 * size * size
		pred, x, noise, tau := rnd.Normal(B*n), rnd.Normal(B*n), rnd.Normal(B*n), []float32{0.3, 0.99}
		loss, grad, unused := r.Output(1), r.Output(B, 3, size, size), r.Output(C)
		r.Run(func(p *engine.Program) {
			tape := New(p)
			tape.Param("unused", r.Input(rnd.Normal(C), C), unused)
			v := tape.Param("pred", r.Input(pred, B, 3, size, size), grad)
			xt, nt := r.Input(x, B, 3, size, size), r.Input(noise, B, 3, size, size)
			tape.FlowLoss(loss, v, &xt, &nt, r.Input(tau, B), o)
			tape.Backward()
		})
		pw, xw, nw, tw := kerneltest.Widen(pred), kerneltest.Widen(x), kerneltest.Widen(noise), kerneltest.Widen(tau)
		path := ref.Path[float64]{Predict: o.Predict.String(), Loss: o.Loss.String(), Clamp: 0.05, NoiseScale: float64(o.NoiseScale)}
		f := func() []float64 { return []float64{ref.FlowLoss(pw, xw, nw, tw, n, path)} }
		kerneltest.Equal(t, "loss", r.Floats(loss), f(), 1e-5)
		kerneltest.Equal(t, "gradient", r.Floats(grad), slopes(pw, []float32{1}, f), 1e-5)
		kerneltest.Equal(t, "gradient of what nothing uses", r.Floats(unused), make([]float64, C), 0)
	}
}

// plan returns a tape on a device that only plans, and makers of inputs for it.
func plan(t *testing.T) (tape *Tape, leaf func(shape ...int) *Var, tensor func(shape ...int) kernels.Tensor) {
	t.Helper()
	d, err := engine.Open(engine.Options{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	tape = New(engine.NewProgram(d, t.Name()))
	tensor = func(shape ...int) kernels.Tensor {
		b, err := d.NewBuffer("input", 4*int64(kernels.Tensor{Shape: shape}.Len()))
		if err != nil {
			t.Fatal(err)
		}
		return kernels.View(b.All(), shape...)
	}
	return tape, func(shape ...int) *Var { return tape.Leaf(tensor(shape...)) }, tensor
}

func TestDump(t *testing.T) {
	tape, leaf, tensor := plan(t)
	param := func(name string, shape ...int) *Var { return tape.Param(name, tensor(shape...), tensor(shape...)) }
	x := leaf(B, T, C)
	qkv := tape.Linear(tape.RMSNorm(x, param("norm.weight", C), eps), param("qkv.weight", 3*C, C), nil, nil)
	h := tape.Heads(qkv, 3, H)
	q := tape.NormRoPE(h[0], param("q_norm.weight", D), tensor(T, D/2), tensor(T, D/2), eps, false)
	o := tape.Reshape(tape.Attention(q, h[1], h[2]), B, T, C)
	tape.Linear(o, param("proj.weight", C, C), param("proj.bias", C), x)
	const want = `#0 rmsnorm (2,5,16) <- leaf(2,5,16) norm.weight(16)
#1 linear (2,5,48) <- rmsnorm(2,5,16) qkv.weight(48,16)
#2 heads 3x(2,5,2,8 ld 48 off 0) <- linear(2,5,48)
#3 normrope (2,5,2,8) <- linear[0](2,5,2,8 ld 48 off 0) q_norm.weight(8)
#4 attention (2,5,2,8) <- normrope(2,5,2,8) linear[1](2,5,2,8 ld 48 off 16) linear[2](2,5,2,8 ld 48 off 32)
#5 attention (2,5,16) <- attention(2,5,2,8)
#6 linear (2,5,16) <- attention(2,5,16) proj.weight(16,16) proj.bias(16) leaf(2,5,16)
`
	if got := tape.Dump(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
