// SPDX-License-Identifier: MIT

package ref_test

import (
	"math"
	"testing"

	"jitvk/kernels/ref"
)

func TestSiLUGradients(t *testing.T) {
	const n = 9
	x, dy, y, dx := normals(1, n), normals(2, n), make([]float64, n), make([]float64, n)
	ref.SiLUBackward(dx, dy, x)
	checkGradients(t, dy, func() []float64 { ref.SiLU(y, x); return y }, param{"x", x, dx})
}

func TestSwiGLUGradients(t *testing.T) {
	const n, f = 3, 5
	for _, valueFirst := range []bool{false, true} {
		ab, dh, h, dab := normals(1, n*2*f), normals(2, n*f), make([]float64, n*f), make([]float64, n*2*f)
		ref.SwiGLUBackward(dab, dh, ab, n, f, valueFirst)
		checkGradients(t, dh, func() []float64 { ref.SwiGLU(h, ab, n, f, valueFirst); return h }, param{"ab", ab, dab})
	}
	// The order of the halves: silu(gate) * value.
	h := []float64{0}
	ref.SwiGLU(h, []float64{0, 3}, 1, 1, false)
	if h[0] != 0 {
		t.Errorf("gate 0 gives %v", h[0])
	}
	ref.SwiGLU(h, []float64{3, 0}, 1, 1, true)
	if h[0] != 0 {
		t.Errorf("gate 0, value first, gives %v", h[0])
	}
}

func TestConcatTimeGradients(t *testing.T) {
	const b, tokens, c, extra = 2, 3, 4, 5
	x, e, dy := normals(1, b*tokens*c), normals(2, b*extra), normals(3, b*tokens*(c+extra))
	y, dx, de := make([]float64, len(dy)), make([]float64, len(x)), make([]float64, len(e))
	ref.ConcatTimeBackward(dx, de, dy, b, tokens, c, extra)
	checkGradients(t, dy, func() []float64 { ref.ConcatTime(y, x, e, b, tokens, c, extra); return y }, param{"x", x, dx}, param{"e", e, de})
}

func TestFlowLossGradients(t *testing.T) {
	const b, n = 3, 4
	pred, x, noise, tau, dpred := normals(1, b*n), normals(2, b*n), normals(3, b*n), []float64{0.01, 0.7, 0.99}, make([]float64, b*n)
	for _, predict := range []string{"x", "eps", "v"} {
		for _, loss := range []string{"x", "eps", "v"} {
			path := ref.Path[float64]{Predict: predict, Loss: loss, Clamp: 0.05, NoiseScale: 1.5}
			ref.FlowLossBackward(dpred, pred, x, noise, tau, n, 3, path)
			checkGradients(t, []float64{3}, func() []float64 { return []float64{ref.FlowLoss(pred, x, noise, tau, n, path)} },
				param{"pred", pred, dpred})
		}
	}
}

// Where nothing is clamped, turning the truth of one kind into another gives the truth of that kind: the loss of a network that
// predicts x and is off by d is that of one that predicts v and is off by what d makes of the velocity.
func TestFlowLossKinds(t *testing.T) {
	const n, tau, scale = 8, 0.3, 1.5
	x, noise, d := normals(1, n), normals(2, n), normals(3, n)
	pred := map[string][]float64{"x": nil, "eps": nil, "v": nil}
	for i := range x {
		e := scale * noise[i]
		z, xp := tau*x[i]+(1-tau)*e, x[i]+d[i] // the image that the network means
		ep := (z - tau*xp) / (1 - tau)
		pred["x"], pred["eps"], pred["v"] = append(pred["x"], xp), append(pred["eps"], ep), append(pred["v"], xp-ep)
	}
	for _, loss := range []string{"x", "eps", "v"} {
		want := 0.0
		for i, a := range pred[loss] {
			truth := map[string]float64{"x": x[i], "eps": scale * noise[i], "v": x[i] - scale*noise[i]}[loss]
			want += (a - truth) * (a - truth) / n
		}
		for predict, u := range pred {
			got := ref.FlowLoss(u, x, noise, []float64{tau}, n,
				ref.Path[float64]{Predict: predict, Loss: loss, Clamp: 0.05, NoiseScale: scale})
			if math.Abs(got-want) > 1e-12*want {
				t.Errorf("predict %s, loss in %s: %v, want %v", predict, loss, got, want)
			}
		}
	}
}

func TestGateGradients(t *testing.T) {
	const b, tokens, c = 2, 3, 4
	r, x, g, dy := normals(1, b*tokens*c), normals(2, b*tokens*c), normals(3, b*c), normals(4, b*tokens*c)
	y, dx, dg := make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(g))
	ref.GateBackward(dx, dg, dy, x, g, tokens, c)
	checkGradients(t, dy, func() []float64 { ref.Gate(y, r, x, g, tokens, c); return y }, param{"x", x, dx}, param{"g", g, dg},
		param{"r", r, dy})
}

func TestEmbedGradients(t *testing.T) {
	const k, c = 4, 3
	labels := []uint32{2, 0, 2, 9} // the last counts as 3; nobody has 1
	table, dy, y, dtable := normals(1, k*c), normals(2, len(labels)*c), make([]float64, len(labels)*c), make([]float64, k*c)
	ref.EmbedBackward(dtable, dy, labels, c)
	checkGradients(t, dy, func() []float64 { ref.Embed(y, table, labels, c); return y }, param{"table", table, dtable})
}

func TestTokenGradients(t *testing.T) {
	const b, k, tokens, c = 2, 3, 4, 5
	x, e, pos, dy := normals(1, b*tokens*c), normals(2, b*c), normals(3, k*c), normals(4, b*(k+tokens)*c)
	y, dx, de, dpos := make([]float64, len(dy)), make([]float64, len(x)), make([]float64, len(e)), make([]float64, len(pos))
	ref.PrependTokensBackward(dx, de, dpos, dy, b, k, tokens, c)
	checkGradients(t, dy, func() []float64 { ref.PrependTokens(y, x, e, pos, b, k, tokens, c); return y },
		param{"x", x, dx}, param{"e", e, de}, param{"pos", pos, dpos})
	long, dlong, short := normals(5, b*(k+tokens)*c), make([]float64, b*(k+tokens)*c), make([]float64, b*tokens*c)
	ref.DropTokensBackward(dlong, x, b, k, tokens, c)
	checkGradients(t, x, func() []float64 { ref.DropTokens(short, long, b, k, tokens, c); return short }, param{"x", long, dlong})
}

func TestDropoutGradients(t *testing.T) {
	const b, n = 3, 7
	r := ref.Random{Seed: 5, Stream: 6}
	x, dy, y, dx := normals(1, b*n), normals(2, b*n), make([]float64, b*n), make([]float64, b*n)
	ref.Dropout(dx, dy, n, 0.4, r)
	checkGradients(t, dy, func() []float64 { ref.Dropout(y, x, n, 0.4, r); return y }, param{"x", x, dx})
}

// Fold and Unfold are each other's adjoint, <Fold t, y> = <t, Unfold y>, and so each other's gradient.
func TestFoldAdjoint(t *testing.T) {
	for _, g := range []ref.Patches{
		{ImgH: 8, ImgW: 12, Patch: 4, Stride: 4}, {ImgH: 13, ImgW: 9, Patch: 5, Stride: 2},
		{ImgH: 28, ImgW: 28, Patch: 16, Stride: 12, ChannelLast: true},
	} {
		const b = 2
		down, across := g.Tokens()
		tok, y := normals(1, b*down*across*3*g.Patch*g.Patch), normals(2, b*3*g.ImgH*g.ImgW)
		window, inv := normals(3, g.Patch), normals(4, g.ImgH*g.ImgW)
		img, back := make([]float64, len(y)), make([]float64, len(tok))
		ref.Fold(img, tok, window, inv, b, g)
		ref.Unfold(back, y, window, inv, b, g)
		left, right := 0.0, 0.0
		for i := range img {
			left += img[i] * y[i]
		}
		for i := range tok {
			right += tok[i] * back[i]
		}
		if math.Abs(left-right) > 1e-10*(1+math.Abs(left)) {
			t.Errorf("%+v: <Fold t, y> = %v, <t, Unfold y> = %v", g, left, right)
		}
	}
}

// One image whose values are their own indices, by hand: the order of tokens and of a token's elements.
func TestUnfoldOrder(t *testing.T) {
	img := make([]float64, 3*4*6)
	for i := range img {
		img[i] = float64(i)
	}
	for _, channelLast := range []bool{false, true} {
		g := ref.Patches{ImgH: 4, ImgW: 6, Patch: 2, Stride: 2, ChannelLast: channelLast}
		tok := make([]float64, 6*12)
		ref.Unfold(tok, img, nil, nil, 1, g)
		// Token 4 is the second of the second row: its corner is row 2, column 2, index 14.
		want := []float64{14, 15, 20, 21, 38, 39, 44, 45, 62, 63, 68, 69}
		if channelLast {
			want = []float64{14, 38, 62, 15, 39, 63, 20, 44, 68, 21, 45, 69}
		}
		for i, v := range want {
			if tok[4*12+i] != v {
				t.Fatalf("channel last %v: token 4 is %v, want %v", channelLast, tok[4*12:5*12], want)
			}
		}
	}
}

func TestHann(t *testing.T) {
	w := ref.Hann(5)
	for i, want := range []float64{0, 0.5, 1, 0.5, 0} { // torch.hann_window(5, periodic=False)
		if math.Abs(w[i]-want) > 1e-15 {
			t.Errorf("Hann(5) = %v", w)
		}
	}
	inv := ref.FoldNorm([]float64{1, 1, 1}, 5, 5, 2)
	for i, want := range []float64{1, 1, 0.5, 1, 1, 1, 1, 0.5, 1, 1, 0.5, 0.5, 0.25, 0.5, 0.5} {
		if inv[i] != want {
			t.Fatalf("FoldNorm = %v", inv)
		}
	}
	if inv := ref.FoldNorm(ref.Hann(4), 4, 4, 4); inv[0] != 1e8 {
		t.Errorf("FoldNorm where the window is 0: %v, want 1e8", inv[0])
	}
}

// Adam's first step is lr against the sign of the gradient, whatever its size, and decay is decoupled from it.
func TestAdamWFirstStep(t *testing.T) {
	w, g := []float64{1, 2, 3}, []float64{1e-3, -5, 1e3}
	o := ref.AdamWOptions[float64]{Beta1: 0.9, Beta2: 0.95, Eps: 1e-12, WeightDecay: 0.5, LR: 0.1, Bias1: 0.1, Bias2: 0.05, LossScale: 1}
	ref.AdamW(w, g, make([]float64, 3), make([]float64, 3), 1, o)
	for i, want := range []float64{0.95 - 0.1, 1.9 + 0.1, 2.85 - 0.1} {
		if math.Abs(w[i]-want) > 1e-8 {
			t.Errorf("w[%d] = %v, want %v", i, w[i], want)
		}
	}
}

func TestNormalMoments(t *testing.T) {
	x := make([]float64, 400_000)
	ref.Normal(x, 4, len(x)/4, ref.Random{Seed: 1})
	var m [5]float64
	for _, v := range x {
		for k, p := 1, v; k < 5; k, p = k+1, p*v {
			m[k] += p / float64(len(x))
		}
	}
	for k, want := range []float64{0, 0, 1, 0, 3} { // each within five standard errors
		if k > 0 && math.Abs(m[k]-want) > 5*math.Sqrt([]float64{0, 1, 2, 15, 96}[k]/float64(len(x))) {
			t.Errorf("moment %d is %v, want %v", k, m[k], want)
		}
	}
}
