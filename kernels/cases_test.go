// SPDX-License-Identifier: MIT

package kernels_test

import (
	"math"
	"path"
	"slices"

	"jitvk/engine"
	"jitvk/kernels"
	"jitvk/kernels/kerneltest"
	"jitvk/kernels/ref"
)

// opCases is every op of package kernels, and what its calls look like: a new op is one more entry.
var opCases = []opCase{
	{"Add", drawAdd},
	{"AdamW", drawAdamW},
	{"AddRows", drawAddRows},
	{"Attention", drawAttention},
	{"AttentionBackward", drawAttentionBackward},
	{"Cast", drawCast},
	{"CleanImage", drawCleanImage},
	{"ColSum", drawColSum},
	{"ConcatTime", drawConcatTime},
	{"ConcatTimeBackward", drawConcatTimeBackward},
	{"Derf", drawDerf},
	{"DerfBackward", drawDerfBackward},
	{"DerfRoPE", drawDerfRoPE},
	{"DerfRoPEBackward", drawDerfRoPEBackward},
	{"DropLabels", drawDropLabels},
	{"DropTokens", drawDropTokens},
	{"DropTokensBackward", drawDropTokensBackward},
	{"Dropout", drawDropout},
	{"EMA", drawEMA},
	{"Embed", drawEmbed},
	{"EmbedBackward", drawEmbedBackward},
	{"EulerStep", drawEulerStep},
	{"FlowLoss", drawFlowLoss},
	{"Fold", drawFold},
	{"Gate", drawGate},
	{"GateBackward", drawGateBackward},
	{"GradNorm", drawGradNorm},
	{"Guide", drawGuide},
	{"HeunStep", drawHeunStep},
	{"Images", drawImages},
	{"LogitNormal", drawLogitNormal},
	{"MatMul", drawMatMul},
	{"MatMulSwiGLU", drawMatMulSwiGLU},
	{"MatMulSwiGLUBackward", drawMatMulSwiGLUBackward},
	{"NoiseMix", drawNoiseMix},
	{"NormModulate", drawNormModulate},
	{"NormModulateBackward", drawNormModulateBackward},
	{"NormRoPE", drawNormRoPE},
	{"NormRoPEBackward", drawNormRoPEBackward},
	{"Normal", drawNormal},
	{"Peak", drawPeak},
	{"PeakMatrix", drawPeakMatrix},
	{"PrependTokens", drawPrependTokens},
	{"PrependTokensBackward", drawPrependTokensBackward},
	{"RMSNorm", drawRMSNorm},
	{"RMSNormBackward", drawRMSNormBackward},
	{"RoPE", drawRoPE},
	{"SiLU", drawSiLU},
	{"SiLUBackward", drawSiLUBackward},
	{"SwiGLU", drawSwiGLU},
	{"SwiGLUBackward", drawSwiGLUBackward},
	{"TimeEmbedding", drawTimeEmbedding},
	{"Unfold", drawUnfold},
}

// in, out and both make contiguous args: read, written, and read and written.
func in(name string, data []float32, perRow int, shape ...int) arg {
	return arg{name: name, data: data, perRow: perRow, shape: shape}
}
func out(name string, perRow int, shape ...int) arg {
	return arg{name: name, perRow: perRow, shape: shape, out: true}
}

// gradient is an output that is added to when acc is set.
func gradient(d draw, name string, acc bool, perRow int, shape ...int) arg {
	a := out(name, perRow, shape...)
	if acc {
		a.data = d.normal(name, (kernels.Tensor{Shape: shape}).Len(), shape[len(shape)-1])
	}
	return a
}

func both(a arg) arg { a.out = true; return a }

// rowsOf lets an arg's rows of width floats lie apart.
func (a arg) rowsOf(d draw, width, unit int) arg {
	a.width, a.lay = width, d.layout(a.name, unit)
	return a
}

// stepArg is a step buffer.
func stepArg(s kernels.Step) arg {
	b := s.Data()
	words := make([]uint32, len(b)/4)
	for i := range words {
		words[i] = uint32(b[4*i]) | uint32(b[4*i+1])<<8 | uint32(b[4*i+2])<<16 | uint32(b[4*i+3])<<24
	}
	return arg{name: "step", words: words, shape: []int{len(words)}}
}

// absOf is |x|.
func absOf(x []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.Abs(v)
	}
	return out
}

// addTo is y += x.
func addTo(y, x []float64) {
	for i := range y {
		y[i] += x[i]
	}
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// accumulate calls f with a fresh slice for each output that a begins with, and adds what it leaves to what was there.
func accumulate(a, terms [][]float64, outputs int, f func(a, terms [][]float64)) {
	fresh, sums := append([][]float64{}, a...), append([][]float64{}, terms...)
	for i := range outputs {
		fresh[i], sums[i] = make([]float64, len(a[i])), make([]float64, len(a[i]))
	}
	f(fresh, sums)
	for i := range outputs {
		addTo(terms[i], sums[i])
		addTo(terms[i], absOf(a[i]))
		addTo(a[i], fresh[i])
	}
}

func drawAdd(d draw) call {
	n := d.size("n", 2100)
	a, b := in("a", d.normal("a", n, 7), 1, n), in("b", d.normal("b", n, 7), 1, n)
	if d.on("in place") {
		return call{args: []arg{both(a), b},
			run: func(p *engine.Program, t []kernels.Tensor) { kernels.Add(p, t[0], t[0], t[1]) },
			ref: func(a, _ [][]float64) { ref.Add(a[0], a[0], a[1]) }}
	}
	return call{args: []arg{out("y", 1, n), a, b},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.Add(p, t[0], t[1], t[2]) },
		ref: func(a, _ [][]float64) { ref.Add(a[0], a[1], a[2]) }}
}

func drawAdamW(d draw) call {
	n := d.size("n", 2100)
	v := d.normal("v", n, n)
	for i := range v {
		v[i] = float32(math.Abs(float64(v[i])))
	}
	norm := []float32{float32(math.Exp(kerneltest.NewRand(uint64(n)).NormFloat64() * 4))}
	o := kernels.AdamWOptions{Beta1: 0.9, Beta2: pickFrom(d, "beta2", float32(0.95), 0.999), Eps: pickFrom(d, "eps", float32(1e-8), 1e-3),
		WeightDecay: pickFrom(d, "decay", float32(0), 0.1), Clip: pickFrom(d, "clip", float32(0), 1, 1e9)}
	step := kernels.Step{LR: pickFrom(d, "lr", float32(1e-4), 1), LossScale: pickFrom(d, "loss scale", float32(1), 1024), Bias1: 0.271,
		Bias2: 0.142625, SkipBias1: 0.19, SkipBias2: 0.0975}
	args := []arg{both(in("w", d.normal("w", n, n), 1, n)), both(in("m", d.normal("m", n, n), 1, n)), both(in("v", v, 1, n)),
		in("g", d.normal("g", n, n), 1, n), in("norm", norm, 0, 1), stepArg(step)}
	before := float32(0)
	if d.on("before") {
		before = pickFrom(d, "norm before", float32(math.MaxFloat32), float32(math.Inf(1)), float32(math.NaN()))
		args = append(args, in("before", []float32{before}, 0, 1))
	}
	return call{args: args,
		run: func(p *engine.Program, t []kernels.Tensor) {
			o := o
			if len(t) > 6 {
				o.Before = &t[6]
			}
			kernels.AdamW(p, t[0], t[3], t[1], t[2], t[4], t[5], o)
		},
		ref: func(a, terms [][]float64) {
			ro := ref.AdamWOptions[float64]{Beta1: float64(o.Beta1), Beta2: float64(o.Beta2), Eps: float64(o.Eps),
				WeightDecay: float64(o.WeightDecay),
				Clip:        float64(o.Clip), LR: float64(step.LR), Bias1: float64(step.Bias1), Bias2: float64(step.Bias2),
				LossScale: float64(step.LossScale),
				Before:    float64(before), SkipBias1: float64(step.SkipBias1), SkipBias2: float64(step.SkipBias2)}
			// With the magnitudes of m and g, the first moment is the sum of its terms, and w moves as far as it can.
			w, m, v := absOf(a[0]), absOf(a[1]), append([]float64{}, a[2]...)
			ref.AdamW(w, absOf(a[3]), m, v, a[4][0], ro)
			for i := range w {
				terms[0][i] = 2*math.Abs(a[0][i]) + math.Abs(w[i]-math.Abs(a[0][i]))
			}
			copy(terms[1], m)
			ref.AdamW(a[0], a[3], a[1], a[2], a[4][0], ro)
		}}
}

func drawAddRows(d draw) call {
	b, t, c := d.size("B", 9), d.size("T", 33), d.size("C", 130)
	x, table := in("x", d.normal("x", b*t*c, c), t*c, b, t, c), in("table", d.normal("table", t*c, c), 0, t, c)
	if d.on("in place") {
		return call{args: []arg{both(x), table},
			run: func(p *engine.Program, t []kernels.Tensor) { kernels.AddRows(p, t[0], t[0], t[1]) },
			ref: func(a, _ [][]float64) { ref.AddRows(a[0], a[0], a[1]) }}
	}
	return call{args: []arg{out("y", t*c, b, t, c), x, table},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.AddRows(p, t[0], t[1], t[2]) },
		ref: func(a, _ [][]float64) { ref.AddRows(a[0], a[1], a[2]) }}
}

// heads is the shape (B,T,H,D).
type heads struct{ b, t, h, d int }

func (x heads) shape() []int { return []int{x.b, x.t, x.h, x.d} }

// drawAttentionOf draws an attention problem, the precision of its operands, and a rung that the device runs for both.
func drawAttentionOf(d draw) (x attention, rung string) {
	sizes := []int{16} // each is shaders to compile, for every rung and precision
	if kerneltest.All() {
		sizes = []int{8, 32, 64}
	}
	x = attention{heads{rapidInt(d, "B", 1, 3), d.size("T", 40), rapidInt(d, "H", 1, 3), pickFrom(d, "D", sizes...)},
		pickFrom(d, "precision", kernels.FP32, kernels.FP16, kernels.BF16)}
	rungs := slices.DeleteFunc(kernels.AttentionRungs(), func(rung string) bool {
		return !kernels.AttentionRuns(rung, kerneltest.Device(d.tb).Info(), x.precision, x.d)
	})
	return x, pickFrom(d, "rung", rungs...)
}

// bigValues are values and gradients as large as a draw may have them: fp16 ends at 65504, and it must hold dS, too.
func (x attention) bigValues(big float64) float64 {
	if x.precision == kernels.FP16 {
		return 3
	}
	return big
}

func drawAttention(d draw) call {
	x, rung := drawAttentionOf(d)
	width := x.h * x.d
	n := x.b * x.t * width
	rows := func(name string, small, big float64) arg {
		return in(name, d.values(name, n, width, small, big), x.t*width, x.shape()...).rowsOf(d, width, 4)
	}
	return call{rung: path.Base(rung),
		args: []arg{out("o", x.t*width, x.shape()...).rowsOf(d, width, 4), out("lse", x.h*x.t, x.b, x.h, x.t), rows("q", 1e-5, 3),
			rows("k", 1e-5, 3), rows("v", 1e-5, x.bigValues(1e5))},
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.Attention(p, t[0], t[1], t[2], t[3], t[4], kernels.AttentionOptions{Precision: x.precision, Rung: rung})
		},
		ref: func(a, terms [][]float64) {
			x.forward(a[0], a[1], a[2], a[3], a[4])
			x.forwardTerms(terms[0], terms[1], a[2], a[3], a[4])
		}}
}

func drawAttentionBackward(d draw) call {
	x, rung := drawAttentionOf(d)
	width := x.h * x.d
	n := x.b * x.t * width
	data := func(name string, small, big float64) []float32 { return d.values(name, n, width, small, big) }
	q, k, v, do := data("q", 1e-5, 3), data("k", 1e-5, 3), data("v", 1e-3, x.bigValues(1e3)), data("do", 1e-3, x.bigValues(1e3))
	o, lse := make([]float64, n), make([]float64, x.b*x.h*x.t)
	x.forward(o, lse, kerneltest.Widen(q), kerneltest.Widen(k), kerneltest.Widen(v))
	rows := func(name string, data []float32) arg {
		return in(name, data, x.t*width, x.shape()...).rowsOf(d, width, 4)
	}
	return call{rung: path.Base(rung),
		args: []arg{both(rows("dq", nil)), both(rows("dk", nil)), both(rows("dv", nil)), rows("do", do), rows("o", narrowed(o)),
			in("lse", narrowed(lse), x.h*x.t, x.b, x.h, x.t), rows("q", q), rows("k", k), rows("v", v)},
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.AttentionBackward(p, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8],
				kernels.AttentionOptions{Precision: x.precision, Rung: rung})
		},
		ref: func(a, terms [][]float64) {
			x.backward(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8])
			x.backwardTerms(terms[0], terms[1], terms[2], a[3], a[4], a[6], a[7], a[8])
		}}
}

// halves is a precision that a tensor in memory may have.
func halves(d draw) kernels.Precision { return pickFrom(d, "halves", kernels.FP16, kernels.BF16) }

// heldIn lets an arg be in halves of a precision, where its rows are multiples of four.
func (a arg) heldIn(d draw, precision kernels.Precision) arg {
	width := a.width
	if width == 0 {
		width = a.shape[len(a.shape)-1]
	}
	if (width|a.lay.gap|a.lay.off)%4 == 0 && precision != kernels.FP32 && d.on(a.name+" in halves") {
		a.precision = precision
	}
	return a
}

// wideHalves lets an arg be in halves of fp32's range where the other tensors of the call allow it, too.
func (a arg) wideHalves(d draw, others bool) arg {
	if !others {
		return a
	}
	return a.heldIn(d, kernels.BF16)
}

// roundedOut is the copy of dx in halves that a norm's backward pass may write.
func roundedOut(d draw, can bool, perRow int, shape ...int) arg {
	a := out("rounded", perRow, shape...)
	if a.precision = kernels.BF16; !can || !d.on("a copy in halves") {
		a.precision, a.out = kernels.FP32, false
	}
	return a
}

// ifOut is the tensor where the call writes it.
func (a arg) ifOut(t kernels.Tensor) []kernels.Tensor {
	if !a.out {
		return nil
	}
	return []kernels.Tensor{t}
}

// unit is what a layout's distances are multiples of.
func unit(d draw) int { return pickFrom(d, "unit", 1, 4) }

func drawCast(d draw) call {
	n, width, precision := d.size("rows", 150), 4*d.size("width/4", 6), halves(d)
	y := out("y", width, n, width).rowsOf(d, width, 4)
	x := in("x", d.values("x", n*width, width, 1e-7, 1e3), width, n, width).rowsOf(d, width, 4)
	round := rounding(precision)
	if d.on("back to fp32") {
		x.precision, round = precision, nil
	} else {
		y.precision = precision
	}
	return call{args: []arg{y, x},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.Cast(p, t[0], t[1]) },
		ref: func(a, _ [][]float64) { ref.Cast(a[0], a[1], round) }}
}

func drawColSum(d draw) call {
	n, c, acc := d.size("N", 300), d.size("C", 70), d.on("acc")
	return call{args: []arg{gradient(d, "db", acc, 0, c), in("dy", d.normal("dy", n*c, c), 0, n, c).rowsOf(d, c, 1)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.ColSum(p, t[0], t[1], acc) },
		ref: func(a, terms [][]float64) {
			accumulate(a, terms, 1, func(a, terms [][]float64) {
				ref.ColSum(a[0], a[1], n, c)
				ref.ColSum(terms[0], absOf(a[1]), n, c)
			})
		}}
}

func drawConcatTime(d draw) call {
	b, t, c, e := d.size("B", 9), d.size("T", 33), d.size("C", 130), d.size("E", 33)
	return call{args: []arg{out("y", t*(c+e), b, t, c+e), in("x", d.normal("x", b*t*c, c), t*c, b, t, c),
		in("e", d.normal("e", b*e, e), e, b, e)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.ConcatTime(p, t[0], t[1], t[2]) },
		ref: func(a, _ [][]float64) { ref.ConcatTime(a[0], a[1], a[2], b, t, c, e) }}
}

func drawConcatTimeBackward(d draw) call {
	b, t, c, e := d.size("B", 9), d.size("T", 33), d.size("C", 130), d.size("E", 33)
	accX, accE, only := d.on("accX"), d.on("accE"), d.on("de alone")
	args := []arg{gradient(d, "dx", accX, t*c, b, t, c), gradient(d, "de", accE, e, b, e),
		in("dy", d.normal("dy", b*t*(c+e), c+e), t*(c+e), b, t, c+e)}
	if only {
		args[0].out = false
	}
	return call{args: args,
		run: func(p *engine.Program, t []kernels.Tensor) {
			dx := &t[0]
			if only {
				dx = nil
			}
			kernels.ConcatTimeBackward(p, dx, t[1], t[2], accX, accE)
		},
		ref: func(a, terms [][]float64) {
			accumulate(a, terms, 2, func(a, terms [][]float64) {
				ref.ConcatTimeBackward(a[0], a[1], a[2], b, t, c, e)
				ref.ConcatTimeBackward(terms[0], terms[1], absOf(a[2]), b, t, c, e)
			})
		}}
}

// drawRows draws rows to normalise: (N,C), or heads (B,T,H,D), of which width floats lie together.
func drawRows(d draw) (shape []int, width, last int) {
	if d.on("heads") {
		x := heads{rapidInt(d, "B", 1, 3), d.size("T", 20), rapidInt(d, "H", 1, 5), d.size("D", 70)}
		return x.shape(), x.h * x.d, x.d
	}
	n, c := d.size("N", 140), d.size("C", 140)
	return []int{n, c}, c, c
}

func drawDerf(d draw) call {
	shape, width, last := drawRows(d)
	if len(shape) == 4 && last == width {
		shape = []int{shape[0] * shape[1], width} // D = H D says one head to Derf
	}
	n, unit := (kernels.Tensor{Shape: shape}).Len(), unit(d)
	y := out("y", width, shape...).rowsOf(d, width, unit)
	if unit == 4 {
		y = y.heldIn(d, halves(d))
	}
	return call{args: []arg{y, in("x", d.normal("x", n, width), width, shape...).rowsOf(d, width, unit),
		in("alpha", d.normal("alpha", width, width), 0, width), in("shift", d.normal("shift", width, width), 0, width)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.Derf(p, t[0], t[1], t[2], t[3]) },
		ref: func(a, terms [][]float64) {
			ref.Derf(a[0], a[1], a[2], a[3], n/width, width)
			for i, x := range a[1] {
				u, size := a[2][i%width]*x+a[3][i%width], math.Abs(a[2][i%width]*x)+math.Abs(a[3][i%width])
				terms[0][i] = 2 / math.SqrtPi * math.Exp(-u*u) * size // the slope times what u may be off by
			}
		}}
}

func drawDerfBackward(d draw) call {
	shape, width, last := drawRows(d)
	if len(shape) == 4 && last == width {
		shape = []int{shape[0] * shape[1], width}
	}
	n, unit := (kernels.Tensor{Shape: shape}).Len(), unit(d)
	accX, accW := d.on("accX"), d.on("accW")
	rounded := roundedOut(d, unit == 4 && width%4 == 0, width, shape...)
	return call{args: []arg{gradient(d, "dx", accX, width, shape...).rowsOf(d, width, unit), gradient(d, "dalpha", accW, 0, width),
		gradient(d, "dshift", accW, 0, width),
		in("dy", d.normal("dy", n, width), width, shape...).rowsOf(d, width, unit).wideHalves(d, unit == 4),
		in("x", d.normal("x", n, width), width, shape...).rowsOf(d, width, unit),
		in("alpha", d.normal("alpha", width, width), 0, width), in("shift", d.normal("shift", width, width), 0, width), rounded},
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.DerfBackward(p, t[0], t[1], t[2], t[3], t[4], t[5], t[6], accX, accW, rounded.ifOut(t[7])...)
		},
		ref: func(a, terms [][]float64) {
			accumulate(a, terms, 3, func(a, terms [][]float64) {
				ref.DerfBackward(a[0], a[1], a[2], a[3], a[4], a[5], a[6], n/width, width)
				derfTerms(terms, absOf(a[3]), a[4], a[5], a[6])
			})
			copy(a[7], a[0])
			copy(terms[7], terms[0])
		}}
}

// derfTerms adds up the magnitudes of the terms of dx, dalpha and dshift, given those of dy.
func derfTerms(terms [][]float64, dy, x, alpha, shift []float64) {
	for i, x := range x {
		c := i % len(alpha)
		u, size := alpha[c]*x+shift[c], math.Abs(alpha[c]*x)+math.Abs(shift[c])
		// exp(-u²) is off by 2 |u| times what u is off by, which is three roundings of 6e-8 of its terms.
		g := dy[i] * 2 / math.SqrtPi * math.Exp(-u*u) * (1 + 2*math.Abs(u)*size/25)
		terms[0][i] = g * math.Abs(alpha[c])
		terms[1][c] += g * math.Abs(x)
		terms[2][c] += g
	}
}

func drawDerfRoPE(d draw) call {
	x, rows, tables := drawQK(d)
	interleaved, width := d.on("interleaved"), x.h*x.d
	return call{args: append([]arg{rows(out("y", x.t*width, x.shape()...)),
		rows(in("x", d.normal("x", x.b*x.t*width, width), x.t*width, x.shape()...)),
		in("alpha", d.normal("alpha", width, width), 0, width), in("shift", d.normal("shift", width, width), 0, width)}, tables...),
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.DerfRoPE(p, t[0], t[1], t[2], t[3], t[4], t[5], interleaved)
		},
		ref: func(a, terms [][]float64) {
			size := make([]float64, len(a[0])) // of what is turned, with what Derf's may be off by
			ref.Derf(size, a[1], a[2], a[3], x.b*x.t, width)
			for i, v := range a[1] {
				u, terms := a[2][i%width]*v+a[3][i%width], math.Abs(a[2][i%width]*v)+math.Abs(a[3][i%width])
				size[i] = math.Abs(size[i]) + 2/math.SqrtPi*math.Exp(-u*u)*terms
			}
			copy(terms[0], x.turnedSize(size, a[4], a[5], interleaved))
			ref.DerfRoPE(a[0], a[1], a[2], a[3], a[4], a[5], x.b, x.t, x.h, x.d, interleaved)
		}}
}

func drawDerfRoPEBackward(d draw) call {
	x, rows, tables := drawQK(d)
	interleaved, accX, accW, width := d.on("interleaved"), d.on("accX"), d.on("accW"), x.h*x.d
	n := x.b * x.t * width
	return call{args: append([]arg{rows(gradient(d, "dx", accX, x.t*width, x.shape()...)), gradient(d, "dalpha", accW, 0, width),
		gradient(d, "dshift", accW, 0, width),
		rows(in("dy", d.normal("dy", n, width), x.t*width, x.shape()...)), rows(in("x", d.normal("x", n, width), x.t*width, x.shape()...)),
		in("alpha", d.normal("alpha", width, width), 0, width), in("shift", d.normal("shift", width, width), 0, width)}, tables...),
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.DerfRoPEBackward(p, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], interleaved, accX, accW)
		},
		ref: func(a, terms [][]float64) {
			accumulate(a, terms, 3, func(a, terms [][]float64) {
				ref.DerfRoPEBackward(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], x.b, x.t, x.h, x.d, interleaved)
				derfTerms(terms, x.turnedSize(a[3], a[7], a[8], interleaved), a[4], a[5], a[6])
			})
		}}
}

// labelsArg draws the labels of b images, of which some lie past the table of k classes.
func labelsArg(d draw, b, k int) arg {
	x := kerneltest.NewRand(uint64(rapidInt(d, "label seed", 0, 1<<30)))
	labels := make([]uint32, b)
	for i := range labels {
		labels[i] = uint32(x.IntN(k))
	}
	labels[rapidInt(d, "label place", 0, b-1)] = pickFrom(d, "label", 0, uint32(k-1), uint32(k), math.MaxUint32)
	return arg{name: "labels", words: labels, shape: []int{b}, perRow: 1}
}

func drawDropLabels(d draw) call {
	b, none, prob := d.size("B", 300), uint32(rapidInt(d, "none", 0, 1000)), pickFrom(d, "prob", float32(0), 0.1, 0.5, 1)
	step, random := drawStep(d)
	labels := make([]uint32, b)
	for i := range labels {
		labels[i] = uint32(rapidInt(d, "label", 0, 1000))
	}
	kept := out("kept", 0, b)
	kept.whole = true
	return call{args: []arg{kept, {name: "labels", words: labels, shape: []int{b}}, stepArg(step)},
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.DropLabels(p, t[0], t[1], t[2], none, prob, random.Stream)
		},
		ref: func(a, _ [][]float64) {
			want := make([]uint32, b)
			ref.DropLabels(want, labels, none, float64(prob), random)
			for i, l := range want {
				a[0][i] = float64(l)
			}
		}}
}

func drawDropTokens(d draw) call {
	b, k, t, c := d.size("B", 9), d.size("K", 33), d.size("T", 33), d.size("C", 130)
	return call{args: []arg{out("y", t*c, b, t, c), in("x", d.normal("x", b*(k+t)*c, c), (k+t)*c, b, k+t, c)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.DropTokens(p, t[0], t[1]) },
		ref: func(a, _ [][]float64) { ref.DropTokens(a[0], a[1], b, k, t, c) }}
}

func drawDropTokensBackward(d draw) call {
	b, k, t, c, acc := d.size("B", 9), d.size("K", 33), d.size("T", 33), d.size("C", 130), d.on("acc")
	return call{args: []arg{gradient(d, "dx", acc, (k+t)*c, b, k+t, c), in("dy", d.normal("dy", b*t*c, c), t*c, b, t, c)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.DropTokensBackward(p, t[0], t[1], acc) },
		ref: func(a, terms [][]float64) {
			accumulate(a, terms, 1, func(a, terms [][]float64) {
				ref.DropTokensBackward(a[0], a[1], b, k, t, c)
				copy(terms[0], absOf(a[0]))
			})
		}}
}

func drawDropout(d draw) call {
	b, n, acc := d.size("B", 33), d.size("n", 300), d.on("acc")
	prob := pickFrom(d, "prob", float32(0), 0.2, 0.5, 0.99)
	step, random := drawStep(d)
	return call{args: []arg{gradient(d, "y", acc, n, b, n), in("x", d.normal("x", b*n, n), n, b, n), stepArg(step)},
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.Dropout(p, t[0], t[1], t[2], prob, random.Stream, acc)
		},
		ref: func(a, terms [][]float64) {
			accumulate(a, terms, 1, func(a, terms [][]float64) {
				ref.Dropout(a[0], a[1], n, float64(prob), random)
				copy(terms[0], absOf(a[0]))
			})
		}}
}

func drawEMA(d draw) call {
	n, decay, which := d.size("n", 2100), pickFrom(d, "decay", float32(0), 0.5, 0.9999, 1), pickFrom(d, "which", 0, 1)
	step := kernels.Step{EMADecay: [2]float32{0.25, 0.25}}
	step.EMADecay[which] = decay
	return call{args: []arg{both(in("ema", d.normal("ema", n, n), 1, n)), in("w", d.normal("w", n, n), 1, n), stepArg(step)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.EMA(p, t[0], t[1], t[2], which) },
		ref: func(a, terms [][]float64) {
			for i := range terms[0] {
				terms[0][i] = math.Abs(a[0][i]) + math.Abs(a[1][i])
			}
			ref.EMA(a[0], a[1], float64(decay))
		}}
}

// drawSolver draws where a solver's step is and what the network predicts.
func drawSolver(d draw) (n int, s kernels.Step, o kernels.SolverOptions) {
	s = kernels.Step{Tau: pickFrom(d, "tau", float32(0), 0.3, 0.97, 1), DT: pickFrom(d, "dt", float32(0.02), 1)}
	return d.size("n", 2100), s, kernels.SolverOptions{Predict: pickFrom(d, "predict", kinds...), TauClamp: tauClamp}
}

func drawEmbed(d draw) call {
	b, k, c := d.size("B", 33), d.size("K", 33), d.size("C", 300)
	labels := labelsArg(d, b, k)
	return call{args: []arg{out("y", c, b, c), in("table", d.normal("table", k*c, c), 0, k, c), labels},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.Embed(p, t[0], t[1], t[2]) },
		ref: func(a, _ [][]float64) { ref.Embed(a[0], a[1], labels.words, c) }}
}

func drawEmbedBackward(d draw) call {
	b, k, c, acc := d.size("B", 33), d.size("K", 33), d.size("C", 300), d.on("acc")
	labels := labelsArg(d, b, k)
	return call{args: []arg{gradient(d, "dtable", acc, 0, k, c), in("dy", d.normal("dy", b*c, c), 0, b, c), labels},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.EmbedBackward(p, t[0], t[1], t[2], acc) },
		ref: func(a, terms [][]float64) {
			accumulate(a, terms, 1, func(a, terms [][]float64) {
				ref.EmbedBackward(a[0], a[1], labels.words, c)
				ref.EmbedBackward(terms[0], absOf(a[1]), labels.words, c)
			})
		}}
}

func drawEulerStep(d draw) call {
	n, s, o := drawSolver(d)
	return call{args: []arg{both(in("z", d.normal("z", n, n), 1, n)), in("u", d.normal("u", n, n), 1, n), stepArg(s)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.EulerStep(p, t[0], t[1], t[2], o) },
		ref: func(a, terms [][]float64) {
			for i, z := range a[0] {
				terms[0][i] = math.Abs(z) + float64(s.DT)*velocityTerms(o.Predict, z, a[1][i], float64(s.Tau))
			}
			ref.EulerStep(a[0], a[1], o.Predict.String(), float64(s.Tau), float64(s.DT), float64(tauClamp))
		}}
}

func drawHeunStep(d draw) call {
	n, s, o := drawSolver(d)
	return call{args: []arg{both(in("z", d.normal("z", n, n), 1, n)), in("start", d.normal("start", n, n), 1, n),
		in("u", d.normal("u", n, n), 1, n), stepArg(s)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.HeunStep(p, t[0], t[1], t[2], t[3], o) },
		ref: func(a, terms [][]float64) {
			for i, z := range a[0] {
				terms[0][i] = (math.Abs(a[1][i]) + math.Abs(z) + float64(s.DT)*velocityTerms(o.Predict, z, a[2][i], float64(s.Tau))) / 2
			}
			ref.HeunStep(a[0], a[1], a[2], o.Predict.String(), float64(s.Tau), float64(s.DT), float64(tauClamp))
		}}
}

func drawCleanImage(d draw) call {
	n, s, o := drawSolver(d)
	return call{args: []arg{out("x", 1, n), in("z", d.normal("z", n, n), 1, n), in("u", d.normal("u", n, n), 1, n), stepArg(s)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.CleanImage(p, t[0], t[1], t[2], t[3], o) },
		ref: func(a, terms [][]float64) {
			ref.CleanImage(a[0], a[1], a[2], o.Predict.String(), float64(s.Tau), float64(tauClamp))
			for i, z := range a[1] {
				terms[0][i] = imageTerms(o.Predict, z, a[2][i], float64(s.Tau))
			}
		}}
}

func drawGuide(d draw) call {
	n, w := d.size("n", 2100), pickFrom(d, "w", float32(0), 1, 2.9, -1)
	return call{args: []arg{both(in("u", d.normal("u", n, n), 1, n)), in("none", d.normal("none", n, n), 1, n),
		stepArg(kernels.Step{Guidance: w})},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.Guide(p, t[0], t[1], t[2]) },
		ref: func(a, terms [][]float64) {
			for i, u := range a[0] {
				terms[0][i] = math.Abs(float64(w)*u) + math.Abs((1-float64(w))*a[1][i])
			}
			ref.Guide(a[0], a[1], float64(w))
		}}
}

func drawFlowLoss(d draw) call {
	b, n := d.size("B", 9), d.size("n", 300)
	clamp, scale, alone := pickFrom(d, "clamp", float32(0.05), 0.5), pickFrom(d, "loss scale", float32(0), 1024), d.on("loss alone")
	o := kernels.FlowLossOptions{Predict: pickFrom(d, "predict", kernels.X, kernels.Eps, kernels.V),
		Loss:     pickFrom(d, "loss", kernels.X, kernels.Eps, kernels.V),
		TauClamp: clamp, NoiseScale: pickFrom(d, "noise scale", float32(1), 2.5)}
	path := ref.Path[float64]{Predict: o.Predict.String(), Loss: o.Loss.String(), Clamp: float64(clamp), NoiseScale: float64(o.NoiseScale)}
	images := func(name string) arg { return in(name, d.normal(name, b*n, n), n, b, n) }
	args := []arg{out("loss", 0, 1), out("dpred", n, b, n), images("pred"), images("x"), images("noise"), tauArg(d, b),
		stepArg(kernels.Step{LossScale: scale})}
	if alone {
		args[1].out = false
	}
	return call{args: args,
		run: func(p *engine.Program, t []kernels.Tensor) {
			o, dpred, x, noise := o, &t[1], &t[3], &t[4]
			if scale != 0 {
				o.Step = &t[6]
			}
			if alone {
				dpred = nil
			}
			if o.Predict == kernels.X {
				noise = nil
			}
			if o.Predict == kernels.Eps {
				x = nil
			}
			kernels.FlowLoss(p, t[0], dpred, t[2], x, noise, t[5], o)
		},
		ref: func(a, terms [][]float64) {
			loss, factor := a[0], max(float64(scale), 1) // 0: no step buffer
			loss[0] = ref.FlowLoss(a[2], a[3], a[4], a[5], n, path)
			ref.FlowLossBackward(a[1], a[2], a[3], a[4], a[5], n, factor, path)
			// With -|pred| and magnitudes that all have one sign, errors are the sums of what may cancel.
			e := absOf(a[4])
			if o.Predict == kernels.V {
				for i := range e {
					e[i] = -e[i]
				}
			}
			pred := absOf(a[2])
			for i := range pred {
				pred[i] = -pred[i]
			}
			terms[0][0] = ref.FlowLoss(pred, absOf(a[3]), e, a[5], n, path)
			ref.FlowLossBackward(terms[1], pred, absOf(a[3]), e, a[5], n, factor, path)
			copy(terms[1], absOf(terms[1]))
		}}
}

func drawFold(d draw) call   { return drawPatches(d, true) }
func drawUnfold(d draw) call { return drawPatches(d, false) }

func drawPatches(d draw, fold bool) call {
	patch := rapidInt(d, "patch", 1, 6)
	stride, b := rapidInt(d, "stride", 1, patch), d.size("B", 9)
	g := ref.Patches{ImgH: patch + stride*rapidInt(d, "down", 0, 4), ImgW: patch + stride*rapidInt(d, "across", 0, 4), Patch: patch,
		Stride: stride, ChannelLast: d.on("channel last")}
	down, across := g.Tokens()
	width, pixels := 3*patch*patch, g.ImgH*g.ImgW
	windowed, normed := d.on("window"), d.on("norm")
	img, tok := in("img", nil, 3*pixels, b, 3, g.ImgH, g.ImgW), in("tok", nil, down*across*width, b, down*across, width)
	dst, src := &img, &tok
	if !fold {
		dst, src = &tok, &img
	}
	dst.out = true
	src.data = d.normal(src.name, (kernels.Tensor{Shape: src.shape}).Len(), src.shape[2])
	options := func(a [][]float64) (window, inv []float64) {
		if windowed {
			window = a[2]
		}
		if normed {
			inv = a[3]
		}
		return window, inv
	}
	return call{args: []arg{*dst, *src, in("window", d.normal("window", patch, patch), 0, patch),
		in("norm", d.normal("norm", pixels, g.ImgW), 0, g.ImgH, g.ImgW)},
		run: func(p *engine.Program, t []kernels.Tensor) {
			o := kernels.FoldOptions{Patch: patch, Stride: stride, ChannelLast: g.ChannelLast}
			if windowed {
				o.Window = &t[2]
			}
			if normed {
				o.InvNorm = &t[3]
			}
			if fold {
				kernels.Fold(p, t[0], t[1], o)
			} else {
				kernels.Unfold(p, t[0], t[1], o)
			}
		},
		ref: func(a, terms [][]float64) {
			f := ref.Unfold[float64]
			if fold {
				f = ref.Fold[float64]
			}
			window, inv := options(a)
			f(a[0], a[1], window, inv, b, g)
			window, inv = options([][]float64{nil, nil, absOf(a[2]), absOf(a[3])})
			f(terms[0], absOf(a[1]), window, inv, b, g)
		}}
}

func drawGate(d draw) call {
	b, t, c := d.size("B", 9), d.size("T", 65), d.size("C", 70)
	tokens := func(name string) arg { return in(name, d.normal(name, b*t*c, c), t*c, b, t, c) }
	return call{args: []arg{out("y", t*c, b, t, c), tokens("r"), tokens("x"), in("g", d.normal("g", b*c, c), c, b, c).rowsOf(d, c, 1)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.Gate(p, t[0], t[1], t[2], t[3]) },
		ref: func(a, terms [][]float64) {
			ref.Gate(a[0], a[1], a[2], a[3], t, c)
			ref.Gate(terms[0], absOf(a[1]), absOf(a[2]), absOf(a[3]), t, c)
		}}
}

func drawGateBackward(d draw) call {
	b, t, c, accX, accG := d.size("B", 9), d.size("T", 300), d.size("C", 33), d.on("accX"), d.on("accG")
	tokens := func(name string) arg { return in(name, d.normal(name, b*t*c, c), t*c, b, t, c) }
	return call{args: []arg{gradient(d, "dx", accX, t*c, b, t, c), gradient(d, "dg", accG, c, b, c).rowsOf(d, c, 1),
		tokens("dy"), tokens("x"), in("g", d.normal("g", b*c, c), c, b, c).rowsOf(d, c, 1)},
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.GateBackward(p, t[0], t[1], t[2], t[3], t[4], accX, accG)
		},
		ref: func(a, terms [][]float64) {
			accumulate(a, terms, 2, func(a, terms [][]float64) {
				ref.GateBackward(a[0], a[1], a[2], a[3], a[4], t, c)
				ref.GateBackward(terms[0], terms[1], absOf(a[2]), absOf(a[3]), absOf(a[4]), t, c)
			})
		}}
}

func drawGradNorm(d draw) call {
	n := d.size("n", 5000)
	return call{args: []arg{out("norm", 0, 1), in("g", d.values("g", n, n, 1e-12, 1e12), 0, n)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.GradNorm(p, t[0], t[1]) },
		ref: func(a, _ [][]float64) { a[0][0] = ref.Norm(a[1]) }}
}

func drawStep(d draw) (kernels.Step, ref.Random) {
	x := kerneltest.NewRand(uint64(rapidInt(d, "step seed", 0, 1<<30)))
	s := kernels.Step{Seed: x.Uint64(), Step: x.Uint32(), Image0: x.Uint32() % 1000}
	return s, ref.Random{Seed: s.Seed, Step: s.Step, Image0: s.Image0, Stream: uint32(rapidInt(d, "stream", 0, 5))}
}

func drawImages(d draw) call {
	b, h, w, flip := d.size("B", 20), d.size("ImgH", 20), d.size("ImgW", 33), d.on("flip")
	step, random := drawStep(d)
	bytes := make([]uint8, 3*b*h*w)
	words := make([]uint32, (len(bytes)+3)/4)
	x := kerneltest.NewRand(step.Seed)
	for i := range bytes {
		bytes[i] = uint8(x.Uint32())
		words[i/4] |= uint32(bytes[i]) << (8 * (i % 4))
	}
	packed, perRow := arg{name: "bytes", words: words, shape: []int{len(words)}}, 0
	if 3*h*w%4 == 0 { // images begin at words: they can be exchanged
		packed.perRow, perRow = 3*h*w/4, 3*h*w
	}
	return call{args: []arg{out("x", perRow, b, 3, h, w), packed, stepArg(step)},
		bound: kerneltest.Bound{Abs: 1e-6},
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.Images(p, t[0], t[1], t[2], kernels.ImagesOptions{Flip: flip, Stream: random.Stream})
		},
		ref: func(a, _ [][]float64) { ref.Images(a[0], bytes, b, h, w, flip, random) }}
}

func drawNormal(d draw) call {
	b, n, sigma := d.size("B", 33), d.size("n", 300), pickFrom(d, "sigma", float32(1), 0.125, 0)
	step, random := drawStep(d)
	return call{args: []arg{out("x", n, b, n), stepArg(step)},
		bound: kerneltest.Bound{Abs: 1e-6, Rel: 1e-6},
		run:   func(p *engine.Program, t []kernels.Tensor) { kernels.Normal(p, t[0], t[1], sigma, random.Stream) },
		ref: func(a, _ [][]float64) {
			ref.Normal(a[0], b, n, random)
			for i := range a[0] {
				a[0][i] *= float64(sigma)
			}
		}}
}

func drawLogitNormal(d draw) call {
	b, mu, sigma := d.size("B", 300), pickFrom(d, "mu", float32(0), -0.8, 3), pickFrom(d, "sigma", float32(0), 0.8, 2)
	step, random := drawStep(d)
	return call{args: []arg{out("tau", 1, b), stepArg(step)},
		bound: kerneltest.Bound{Abs: 1e-6, Rel: 1e-5},
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.LogitNormal(p, t[0], t[1], mu, sigma, random.Stream)
		},
		ref: func(a, _ [][]float64) { ref.LogitNormal(a[0], float64(mu), float64(sigma), random) }}
}

// drawMatMulRung draws the precision of operands, a rung for it, and the scales that they must bear.
func drawMatMulRung(d draw) (precision kernels.Precision, rung string, small, big float64) {
	precision = pickFrom(d, "precision", kernels.FP32, kernels.FP32, kernels.FP16, kernels.BF16)
	rungs := kernels.MatMulRungsOn(kerneltest.Device(d.tb).Info(), precision)
	if len(rungs) == 0 {
		precision, rungs = kernels.FP32, kernels.MatMulRungsOn(kerneltest.Device(d.tb).Info(), kernels.FP32)
	}
	if !kerneltest.All() && !drawsGiven { // those have cases of their own (inTurn), and each draw would be shaders of its own
		rungs = slices.DeleteFunc(slices.Clone(rungs), func(rung string) bool { return slices.Contains(inTurns, rung) })
	}
	rung, small, big = pickFrom(d, "rung", rungs...), 1e-5, 1e5
	if precision == kernels.FP16 {
		small, big = 1e-3, 1e3 // well within its range
	}
	return precision, rung, small, big
}

func drawMatMul(d draw) call {
	precision, rung, small, big := drawMatMulRung(d)
	batch, M, N, K := rapidInt(d, "batch", 0, 3), d.size("M", 70), d.size("N", 70), d.size("K", 70)
	o := kernels.MatMulOptions{TransA: d.on("transA"), TransB: d.on("transB"), Accumulate: d.on("acc"), Precision: precision,
		Choice: &kernels.MatMulChoice{Rung: rung, Split: 1}}
	if batch == 0 {
		o.Choice.Split = rapidInt(d, "split", 1, 3)
	}
	bias, residual, rowSum := d.on("bias"), d.on("residual"), batch == 0 && d.on("row sum")
	o.AddRowSum = rowSum && d.on("add row sum")
	sums := gradient(d, "row sums", o.AddRowSum, b2i(!o.TransA), M)
	sums.out = rowSum
	unit := unit(d)
	operand := func(name string, rows, cols int, swap bool) arg {
		if swap {
			rows, cols = cols, rows
		}
		a := in(name, d.values(name, max(batch, 1)*rows*cols, cols, small, big), 0, rows, cols)
		if batch > 0 {
			a.shape, a.perRow = []int{batch, rows, cols}, rows*cols
		} else if !o.TransA && name != "b" {
			a.perRow = cols
		}
		return a.rowsOf(d, cols, unit)
	}
	c := both(operand("c", M, N, false))
	if precision == kernels.BF16 && !o.Accumulate && !residual && N%4 == 0 { // fp16 would have to hold products of large numbers
		c = c.heldIn(d, precision)
	}
	a, b := operand("a", M, K, o.TransA).heldIn(d, precision), operand("b", K, N, o.TransB).heldIn(d, precision)
	if !o.Accumulate {
		c.data = nil
	}
	return call{rung: path.Base(rung) + rungSuffix(precision),
		args: []arg{c, sums, a, b,
			in("bias", d.normal("bias", N, N), 0, N), operand("residual", M, N, false)},
		run: func(p *engine.Program, t []kernels.Tensor) {
			o := o
			if bias {
				o.Bias = &t[4]
			}
			if residual {
				o.Residual = &t[5]
			}
			if rowSum {
				o.RowSum = &t[1]
			}
			kernels.MatMul(p, t[0], t[2], t[3], o)
		},
		ref: func(a, terms [][]float64) {
			accumulate(a, terms, 2, func(a, terms [][]float64) {
				for z := range max(batch, 1) {
					one := func(c, sums []float64, size func([]float64) []float64) {
						ro := ref.MatMulOptions[float64]{TransA: o.TransA, TransB: o.TransB, RowSum: sums, Round: rounding(precision)}
						if bias {
							ro.Bias = size(a[4])
						}
						if residual {
							ro.Residual = size(a[5][z*M*N:][:M*N])
						}
						ref.MatMul(c[z*M*N:][:M*N], size(a[2][z*M*K:][:M*K]), size(a[3][z*K*N:][:K*N]), M, N, K, ro)
					}
					one(a[0], a[1], func(x []float64) []float64 { return x })
					one(terms[0], terms[1], absOf)
				}
			})
		}}
}

func drawMatMulSwiGLU(d draw) call {
	precision, rung, small, big := drawMatMulRung(d)
	n, c, f := d.size("N", 70), d.size("C", 70), d.size("F", 70)
	o := kernels.MatMulSwiGLUOptions{ValueFirst: d.on("value first"), Precision: precision, Rung: rung}
	keep, bias := d.on("keep ab"), d.on("bias")
	args := []arg{out("h", f, n, f), out("ab", 2*f, n, 2*f), in("x", d.values("x", n*c, c, small, big), c, n, c).heldIn(d, precision),
		in("w", d.values("w", 2*f*c, c, small, big), 0, 2*f, c).heldIn(d, precision), in("bias", d.normal("bias", 2*f, f), 0, 2*f)}
	if args[1].out = keep; precision == kernels.BF16 && f%4 == 0 { // fp16 would have to hold products of large numbers
		args[0] = args[0].heldIn(d, precision)
		args[1].precision = args[0].precision
	}
	return call{rung: path.Base(rung) + rungSuffix(precision), args: args,
		run: func(p *engine.Program, t []kernels.Tensor) {
			o, ab := o, &t[1]
			if bias {
				o.Bias = &t[4]
			}
			if !keep {
				ab = nil
			}
			kernels.MatMulSwiGLU(p, t[0], ab, t[2], t[3], o)
		},
		ref: func(a, terms [][]float64) {
			ro := ref.MatMulSwiGLUOptions[float64]{ValueFirst: o.ValueFirst, Round: rounding(precision)}
			po := ref.MatMulOptions[float64]{TransB: true, Round: ro.Round}
			if bias {
				ro.Bias, po.Bias = a[4], absOf(a[4])
			}
			ref.MatMulSwiGLU(a[0], a[1], a[2], a[3], n, c, f, ro)
			ref.MatMul(terms[1], absOf(a[2]), absOf(a[3]), n, 2*f, c, po)
			copy(terms[0], swigluScale(a[1], terms[1], n, f, o.ValueFirst))
		}}
}

func drawMatMulSwiGLUBackward(d draw) call {
	precision, rung, small, big := drawMatMulRung(d)
	n, c, f := d.size("N", 70), d.size("C", 70), d.size("F", 70)
	o := kernels.MatMulSwiGLUOptions{ValueFirst: d.on("value first"), Precision: precision, Rung: rung}
	dab, ab := out("dab", 2*f, n, 2*f), in("ab", d.normal("ab", 2*n*f, 2*f), 2*f, n, 2*f)
	if precision == kernels.BF16 && f%4 == 0 {
		dab = dab.heldIn(d, precision)
		ab.precision = dab.precision
	}
	return call{rung: path.Base(rung) + rungSuffix(precision),
		args: []arg{dab, in("dy", d.values("dy", n*c, c, small, big), c, n, c),
			in("w", d.values("w", c*f, f, small, big), 0, c, f).heldIn(d, precision), ab},
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.MatMulSwiGLUBackward(p, t[0], t[1], t[2], t[3], o)
		},
		ref: func(a, terms [][]float64) {
			ref.MatMulSwiGLUBackward(a[0], a[1], a[2], a[3], n, c, f,
				ref.MatMulSwiGLUOptions[float64]{ValueFirst: o.ValueFirst, Round: rounding(precision)})
			size := make([]float64, n*f)
			ref.MatMul(size, absOf(a[1]), absOf(a[2]), n, f, c, ref.MatMulOptions[float64]{Round: rounding(precision)})
			copy(terms[0], swigluGradientScale(a[3], size, n, f, o.ValueFirst))
		}}
}

// rungSuffix tells operands of 16 bits apart in the summary.
func rungSuffix(p kernels.Precision) string {
	if p == kernels.FP32 {
		return ""
	}
	return " " + p.String()
}

func drawNoiseMix(d draw) call {
	b, n, scale := d.size("B", 9), d.size("n", 300), pickFrom(d, "noise scale", float32(1), 2.5)
	return call{args: []arg{out("z", n, b, n), in("x", d.normal("x", b*n, n), n, b, n), in("eps", d.normal("eps", b*n, n), n, b, n),
		tauArg(d, b)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.NoiseMix(p, t[0], t[1], t[2], t[3], scale) },
		ref: func(a, terms [][]float64) {
			ref.NoiseMix(a[0], a[1], a[2], a[3], n, float64(scale))
			ref.NoiseMix(terms[0], absOf(a[1]), absOf(a[2]), a[3], n, float64(scale))
		}}
}

// tauArg draws flow times, their ends among them.
func tauArg(d draw, b int) arg {
	tau := kerneltest.NewRand(uint64(rapidInt(d, "tau seed", 0, 1<<30))).Uniform(b, 0, 1)
	tau[rapidInt(d, "tau place", 0, b-1)] = pickFrom(d, "tau", float32(0), 0.5, 0.99, 1)
	return in("tau", tau, 1, b)
}

func drawPeak(d draw) call {
	steps, info := 8*rapidInt(d, "steps/8", 1, 30), kerneltest.Device(d.tb).Info()
	f, unit := kernels.PeakFragment(info, kernels.FP16)
	shape, precision, rung := []int{d.size("n", 2100)}, kernels.FP32, "fma"
	if unit && d.on("matrix unit") {
		shape, precision, rung = []int{d.size("n", 140), f.M, f.N}, kernels.FP16, "coopmat"
	}
	return call{rung: rung, args: []arg{out("y", 0, shape...)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.Peak(p, t[0], precision, steps) },
		ref: func(a, _ [][]float64) { peakRef(a[0], info, precision, steps) }}
}

// drawPeakMatrix draws one of the shapes that the device multiplies; where there is none, a call of Peak.
func drawPeakMatrix(d draw) call {
	shapes := kernels.PeakFragments(kerneltest.Device(d.tb).Info(), kernels.FP16)
	if len(shapes) == 0 {
		return drawPeak(d)
	}
	f, steps := shapes[rapidInt(d, "shape", 0, len(shapes)-1)], 8*rapidInt(d, "steps/8", 1, 30)
	return call{rung: "coopmat", args: []arg{out("y", 0, d.size("n", 140), f.M, f.N)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.PeakMatrix(p, t[0], f, steps) },
		ref: func(a, _ [][]float64) {
			ref.PeakMatrix(a[0], f.M*f.N, f.K, kernels.PeakChainsMatrix, steps, kernels.PeakFill, kernels.PeakFill)
		}}
}

func drawNormModulate(d draw) call {
	b, t, c := d.size("B", 5), d.size("T", 33), d.size("C", 140)
	eps, n := pickFrom(d, "eps", float32(1e-6), 0.1), b*t*c
	y, unit, big := out("y", t*c, b, t, c), unit(d), 1e5
	if unit == 4 {
		y = y.heldIn(d, halves(d))
	}
	if y.precision == kernels.FP16 {
		big = 10 // fp16 ends at 65504
	}
	return call{args: []arg{y, out("rstd", t, b, t), in("x", d.values("x", n, c, 1e-12, 1e12), t*c, b, t, c),
		in("w", d.values("w", c, c, 1e-5, big), 0, c),
		in("scale", d.values("scale", b*c, c, 1e-5, big), c, b, c).rowsOf(d, c, unit),
		in("shift", d.values("shift", b*c, c, 1e-5, big), c, b, c).rowsOf(d, c, unit)},
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.NormModulate(p, t[0], t[1], t[2], t[3], t[4], t[5], eps)
		},
		ref: func(a, terms [][]float64) {
			ref.NormModulate(a[0], a[1], a[2], a[3], a[4], a[5], b, t, c, float64(eps))
			size := absOf(a[4]) // 1 + |scale| bounds the terms of 1 + scale
			ref.NormModulate(terms[0], make([]float64, b*t), absOf(a[2]), absOf(a[3]), size, absOf(a[5]), b, t, c, float64(eps))
		}}
}

func drawNormModulateBackward(d draw) call {
	b, t, c := d.size("B", 5), d.size("T", 40), d.size("C", 140)
	eps, n := pickFrom(d, "eps", 1e-6, 0.1), b*t*c
	accX, accW, accM := d.on("accX"), d.on("accW"), d.on("accM")
	x, rstd := d.normal("x", n, c), make([]float64, b*t)
	ref.RMSNorm(make([]float64, n), rstd, kerneltest.Widen(x), make([]float64, c), b*t, c, eps)
	unit := unit(d)
	row := func(a arg) arg { return a.rowsOf(d, c, unit) }
	return call{args: []arg{gradient(d, "dx", accX, t*c, b, t, c), gradient(d, "dw", accW, 0, c), row(gradient(d, "dscale", accM, c, b, c)),
		row(gradient(d, "dshift", accM, c, b, c)),
		in("dy", d.normal("dy", n, c), t*c, b, t, c).wideHalves(d, unit == 4), in("x", x, t*c, b, t, c), in("w", d.normal("w", c, c), 0, c),
		row(in("scale", d.normal("scale", b*c, c), c, b, c)), in("rstd", narrowed(rstd), t, b, t)},
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.NormModulateBackward(p, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], accX, accW, accM)
		},
		ref: func(a, terms [][]float64) {
			accumulate(a, terms, 4, func(a, terms [][]float64) {
				ref.NormModulateBackward(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], b, t, c)
				// The sums of magnitudes are the same function of magnitudes, but for the sign within dx.
				size := func(i int) []float64 { return absOf(a[i]) }
				ref.NormModulateBackward(terms[0], terms[1], terms[2], terms[3], size(4), size(5), size(6), size(7), a[8], b, t, c)
				for r := range b * t {
					dot, s := 0.0, a[8][r]
					for i := range c {
						dot += math.Abs(a[4][r*c+i]*a[6][i]*a[5][r*c+i]) * (1 + math.Abs(a[7][r/t*c+i]))
					}
					for i := range c {
						terms[0][r*c+i] = s * (math.Abs(a[6][i]*a[4][r*c+i])*(1+math.Abs(a[7][r/t*c+i])) +
							math.Abs(a[5][r*c+i])*dot*s*s/float64(c))
					}
				}
			})
		}}
}

func drawPrependTokens(d draw) call {
	b, k, t, c := d.size("B", 9), d.size("K", 33), d.size("T", 33), d.size("C", 130)
	return call{args: []arg{out("y", (k+t)*c, b, k+t, c), in("x", d.normal("x", b*t*c, c), t*c, b, t, c),
		in("e", d.normal("e", b*c, c), c, b, c), in("pos", d.normal("pos", k*c, c), 0, k, c)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.PrependTokens(p, t[0], t[1], t[2], t[3]) },
		ref: func(a, _ [][]float64) { ref.PrependTokens(a[0], a[1], a[2], a[3], b, k, t, c) }}
}

func drawPrependTokensBackward(d draw) call {
	b, k, t, c := d.size("B", 9), d.size("K", 33), d.size("T", 33), d.size("C", 130)
	accX, accE, accPos := d.on("accX"), d.on("accE"), d.on("accPos")
	return call{args: []arg{gradient(d, "dx", accX, t*c, b, t, c), gradient(d, "de", accE, c, b, c), gradient(d, "dpos", accPos, 0, k, c),
		in("dy", d.normal("dy", b*(k+t)*c, c), (k+t)*c, b, k+t, c)},
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.PrependTokensBackward(p, t[0], t[1], t[2], t[3], accX, accE, accPos)
		},
		ref: func(a, terms [][]float64) {
			accumulate(a, terms, 3, func(a, terms [][]float64) {
				ref.PrependTokensBackward(a[0], a[1], a[2], a[3], b, k, t, c)
				ref.PrependTokensBackward(terms[0], terms[1], terms[2], absOf(a[3]), b, k, t, c)
			})
		}}
}

func drawRMSNorm(d draw) call {
	shape, width, c := drawRows(d)
	eps := pickFrom(d, "eps", float32(1e-6), 0.1)
	size := (kernels.Tensor{Shape: shape}).Len()
	n := size / c
	unit, big := unit(d), 1e5
	y := out("y", width, shape...).rowsOf(d, width, unit)
	if c%4 == 0 && unit == 4 {
		y = y.heldIn(d, halves(d))
	}
	if y.precision == kernels.FP16 {
		big = 100 // fp16 ends at 65504
	}
	return call{args: []arg{y, out("rstd", width/c, n),
		in("x", d.values("x", size, width, 1e-12, 1e12), width, shape...).rowsOf(d, width, unit),
		in("w", d.values("w", c, c, 1e-5, big), 0, c)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.RMSNorm(p, t[0], t[1], t[2], t[3], eps) },
		ref: func(a, _ [][]float64) { ref.RMSNorm(a[0], a[1], a[2], a[3], n, c, float64(eps)) }}
}

func drawRMSNormBackward(d draw) call {
	shape, width, c := drawRows(d)
	eps := pickFrom(d, "eps", 1e-6, 0.1)
	size := (kernels.Tensor{Shape: shape}).Len()
	n := size / c
	accX, accW := d.on("accX"), d.on("accW")
	x, w, rstd := d.normal("x", size, width), d.normal("w", c, c), make([]float64, n)
	ref.RMSNorm(make([]float64, size), rstd, kerneltest.Widen(x), kerneltest.Widen(w), n, c, eps)
	unit := unit(d)
	rounded := roundedOut(d, unit == 4 && c%4 == 0, width, shape...)
	return call{args: []arg{gradient(d, "dx", accX, width, shape...).rowsOf(d, width, unit), gradient(d, "dw", accW, 0, c),
		in("dy", d.normal("dy", size, width), width, shape...).rowsOf(d, width, unit).wideHalves(d, unit == 4 && c%4 == 0),
		in("x", x, width, shape...).rowsOf(d, width, unit),
		in("w", w, 0, c), in("rstd", narrowed(rstd), width/c, n), rounded},
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.RMSNormBackward(p, t[0], t[1], t[2], t[3], t[4], t[5], accX, accW, rounded.ifOut(t[6])...)
		},
		ref: func(a, terms [][]float64) {
			accumulate(a, terms, 2, func(a, terms [][]float64) {
				ref.RMSNormBackward(a[0], a[1], a[2], a[3], a[4], a[5], n, c)
				for r := range n {
					dot := 0.0
					for i := range c {
						dot += math.Abs(a[2][r*c+i] * a[4][i] * a[3][r*c+i])
					}
					s := a[5][r]
					for i := range c {
						terms[0][r*c+i] = s * (math.Abs(a[4][i]*a[2][r*c+i]) + math.Abs(a[3][r*c+i])*dot*s*s/float64(c))
						terms[1][i] += math.Abs(a[2][r*c+i] * a[3][r*c+i] * s)
					}
				}
			})
			copy(a[6], a[0])
			copy(terms[6], terms[0])
		}}
}

func drawRoPE(d draw) call {
	x := heads{rapidInt(d, "B", 1, 3), d.size("T", 33), rapidInt(d, "H", 1, 3), 4 * d.size("D/4", 17)}
	o := kernels.RoPEOptions{Inverse: d.on("inverse"), Interleaved: d.on("interleaved")}
	width := x.h * x.d
	n, table := x.b*x.t*width, x.t*x.d/2
	args := []arg{out("y", x.t*width, x.shape()...).rowsOf(d, width, 1),
		in("x", d.normal("x", n, width), x.t*width, x.shape()...).rowsOf(d, width, 1),
		in("cos", d.normal("cos", table, x.d/2), 0, x.t, x.d/2), in("sin", d.normal("sin", table, x.d/2), 0, x.t, x.d/2)}
	source := 1
	if d.on("in place") {
		args[0].data, source = args[1].data, 0
	}
	return call{args: args,
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.RoPE(p, t[0], t[source], t[2], t[3], o) },
		ref: func(a, terms [][]float64) {
			from := append([]float64{}, a[source]...)
			ref.RoPE(a[0], from, a[2], a[3], x.b, x.t, x.h, x.d, o.Inverse, o.Interleaved)
			copy(terms[0], x.turnedSize(from, a[2], a[3], o.Interleaved))
		}}
}

// turnedSize returns for each float of x, turned, the sum of the magnitudes of its two terms. Both have one sign in either
// float of a pair: a rotation of |x| by (|cos|, -|sin|) has it in the first, by (|cos|, |sin|) in the second.
func (x heads) turnedSize(data, cos, sin []float64, interleaved bool) []float64 {
	c, s, size := absOf(cos), absOf(sin), absOf(data)
	out, back := make([]float64, len(size)), make([]float64, len(size))
	ref.RoPE(out, size, c, s, x.b, x.t, x.h, x.d, false, interleaved)
	ref.RoPE(back, size, c, s, x.b, x.t, x.h, x.d, true, interleaved)
	for i := range back {
		out[i] = max(out[i], back[i])
	}
	return out
}

// drawQK draws queries to normalise and turn, and the args that both directions have; rows lays a tensor of heads out.
func drawQK(d draw) (x heads, rows func(arg) arg, tables []arg) {
	x = heads{rapidInt(d, "B", 1, 3), d.size("T", 33), rapidInt(d, "H", 1, 3), 4 * d.size("D/4", 17)}
	n, unit := x.t*x.d/2, unit(d)
	rows = func(a arg) arg { return a.rowsOf(d, x.h*x.d, unit).wideHalves(d, unit == 4 && x.d%16 == 0) }
	return x, rows, []arg{
		in("cos", d.normal("cos", n, x.d/2), 0, x.t, x.d/2), in("sin", d.normal("sin", n, x.d/2), 0, x.t, x.d/2)}
}

func drawNormRoPE(d draw) call {
	x, rows, tables := drawQK(d)
	eps, interleaved := pickFrom(d, "eps", float32(1e-6), 0.1), d.on("interleaved")
	perRow := x.t * x.h * x.d
	return call{args: append([]arg{rows(out("y", perRow, x.shape()...)), out("rstd", x.t*x.h, x.b, x.t, x.h),
		rows(in("x", d.values("x", x.b*perRow, x.h*x.d, 1e-12, 1e12), perRow, x.shape()...)), in("w", d.normal("w", x.d, x.d), 0, x.d)},
		tables...),
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.NormRoPE(p, t[0], t[1], t[2], t[3], t[4], t[5], eps, interleaved)
		},
		ref: func(a, terms [][]float64) {
			n := make([]float64, len(a[0]))
			ref.RMSNorm(n, a[1], a[2], a[3], x.b*x.t*x.h, x.d, float64(eps))
			copy(terms[0], x.turnedSize(n, a[4], a[5], interleaved))
			ref.NormRoPE(a[0], a[1], a[2], a[3], a[4], a[5], x.b, x.t, x.h, x.d, float64(eps), interleaved)
		}}
}

func drawNormRoPEBackward(d draw) call {
	x, rows, tables := drawQK(d)
	eps, interleaved, accX, accW := pickFrom(d, "eps", 1e-6, 0.1), d.on("interleaved"), d.on("accX"), d.on("accW")
	perRow, n := x.t*x.h*x.d, x.b*x.t*x.h
	data, w := d.normal("x", n*x.d, x.h*x.d), d.normal("w", x.d, x.d)
	y, rstd := make([]float64, n*x.d), make([]float64, n)
	ref.NormRoPE(y, rstd, kerneltest.Widen(data), kerneltest.Widen(w), kerneltest.Widen(tables[0].data), kerneltest.Widen(tables[1].data),
		x.b, x.t, x.h, x.d, eps, interleaved)
	dy, forward := rows(in("dy", d.normal("dy", n*x.d, x.h*x.d), perRow, x.shape()...)), rows(in("y", narrowed(y), perRow, x.shape()...))
	if (forward.lay.gap|forward.lay.off)%4 == 0 {
		forward.precision = dy.precision // or dy would be rounded to y's
	}
	return call{args: append([]arg{rows(gradient(d, "dx", accX, perRow, x.shape()...)), gradient(d, "dw", accW, 0, x.d), dy, forward,
		rows(in("x", data, perRow, x.shape()...)), in("w", w, 0, x.d), in("rstd", narrowed(rstd), x.t*x.h, x.b, x.t, x.h)}, tables...),
		run: func(p *engine.Program, t []kernels.Tensor) {
			kernels.NormRoPEBackward(p, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], interleaved, accX, accW)
		},
		ref: func(a, terms [][]float64) {
			accumulate(a, terms, 2, func(a, terms [][]float64) {
				ref.NormRoPEBackward(a[0], a[1], a[2], a[4], a[5], a[6], a[7], a[8], x.b, x.t, x.h, x.d, interleaved)
				g := x.turnedSize(a[2], a[7], a[8], interleaved)
				norm := make([]float64, len(a[4]))
				ref.RMSNorm(norm, make([]float64, n), a[4], a[5], n, x.d, eps)
				size := x.turnedSize(norm, a[7], a[8], interleaved) // of y
				for r := range n {
					delta, s := 0.0, a[6][r]
					for i := range x.d {
						delta += math.Abs(a[2][r*x.d+i]) * size[r*x.d+i]
					}
					for i := range x.d {
						at := r*x.d + i
						terms[0][at] = s * (math.Abs(a[5][i])*g[at] + math.Abs(a[4][at])*s*delta/float64(x.d))
						terms[1][i] += g[at] * math.Abs(a[4][at]) * s
					}
				}
			})
		}}
}

func drawSiLU(d draw) call {
	n := d.size("n", 2100)
	return call{args: []arg{out("y", 1, n), in("x", d.normal("x", n, n), 1, n)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.SiLU(p, t[0], t[1]) },
		ref: func(a, _ [][]float64) { ref.SiLU(a[0], a[1]) }}
}

func drawSiLUBackward(d draw) call {
	n, acc := d.size("n", 2100), d.on("acc")
	return call{args: []arg{gradient(d, "dx", acc, 1, n), in("dy", d.normal("dy", n, n), 1, n), in("x", d.normal("x", n, n), 1, n)},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.SiLUBackward(p, t[0], t[1], t[2], acc) },
		ref: func(a, terms [][]float64) {
			accumulate(a, terms, 1, func(a, terms [][]float64) {
				ref.SiLUBackward(a[0], a[1], a[2])
				for i, x := range a[2] {
					terms[0][i] = math.Abs(a[1][i]) * siluTerms(x)
				}
			})
		}}
}

// siluTerms is s (1 + |x| (1 - s)), the slope of SiLU without cancellation.
func siluTerms(x float64) float64 { s := sigmoid(x); return s * (1 + math.Abs(x)*(1-s)) }

func drawSwiGLU(d draw) call {
	n, f, o := d.size("N", 33), d.size("F", 300), kernels.SwiGLUOptions{ValueFirst: d.on("value first")}
	h, ab := out("h", f, n, f), in("ab", d.normal("ab", 2*n*f, 2*f), 2*f, n, 2*f)
	if f%4 == 0 {
		h, ab = h.heldIn(d, kernels.BF16), ab.heldIn(d, kernels.BF16) // fp16 would have to hold huge numbers
	}
	return call{args: []arg{h, ab},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.SwiGLU(p, t[0], t[1], o) },
		ref: func(a, _ [][]float64) { ref.SwiGLU(a[0], a[1], n, f, o.ValueFirst) }}
}

func drawSwiGLUBackward(d draw) call {
	n, f, o := d.size("N", 33), d.size("F", 300), kernels.SwiGLUOptions{ValueFirst: d.on("value first")}
	dab, ab := out("dab", 2*f, n, 2*f), in("ab", d.normal("ab", 2*n*f, 2*f), 2*f, n, 2*f)
	if f%4 == 0 {
		dab = dab.heldIn(d, kernels.BF16)
		ab.precision = dab.precision
	}
	return call{args: []arg{dab, in("dh", d.normal("dh", n*f, f), f, n, f), ab},
		run: func(p *engine.Program, t []kernels.Tensor) { kernels.SwiGLUBackward(p, t[0], t[1], t[2], o) },
		ref: func(a, terms [][]float64) {
			ref.SwiGLUBackward(a[0], a[1], a[2], n, f, o.ValueFirst)
			gate, value := 0, f
			if o.ValueFirst {
				gate, value = f, 0
			}
			for i := range n * f {
				r, c := i/f*2*f, i%f
				terms[0][r+gate+c] = math.Abs(a[1][i]*a[2][r+value+c]) * siluTerms(a[2][r+gate+c])
			}
		}}
}

func drawTimeEmbedding(d draw) call {
	b, half := d.size("B", 33), d.size("E/2", 140)
	o := kernels.TimeEmbeddingOptions{Scale: pickFrom(d, "scale", float32(1), 1000), CosFirst: d.on("cos first"),
		MaxPeriod: pickFrom(d, "period", float32(0), 100)}
	period := float64(o.MaxPeriod)
	if period == 0 {
		period = 10000
	}
	return call{args: []arg{out("e", 2*half, b, 2*half), tauArg(d, b)},
		bound: kerneltest.Bound{Abs: 1e-6},
		run:   func(p *engine.Program, t []kernels.Tensor) { kernels.TimeEmbedding(p, t[0], t[1], o) },
		ref: func(a, _ [][]float64) {
			ref.TimeEmbedding(a[0], a[1], half, float64(o.Scale), period, o.CosFirst)
		}}
}
